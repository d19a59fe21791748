"""The model as MLflow sees it: tracking, the packaged model, the promotion gate, promotion."""
