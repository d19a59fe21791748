"""How good an anonymiser is: average precision, artifact suppression, review convenience, the report."""
