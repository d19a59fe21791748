"""Small pictures out of numpy for walls, screens, signs and views through windows: (height, width, 3) sRGB in 0..1. No faces, no real letters."""

from __future__ import annotations

import numpy as np

from people.surfaces import hsv, hue


def screen_colour(rng: np.random.Generator, saturation: tuple[float, float] = (0.1, 0.8), value: tuple[float, float] = (0.2, 0.95)) -> np.ndarray:
    """A random colour as one sees it."""
    return np.array(hsv(hue(rng), rng.uniform(*saturation), rng.uniform(*value))) ** (1 / 2.2)


def gradient(height: int, width: int, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """A vertical gradient."""
    share = np.linspace(0, 1, height)[:, None, None]
    return np.broadcast_to(top * (1 - share) + bottom * share, (height, width, 3)).copy()


def smooth_noise(rng: np.random.Generator, height: int, width: int, cells: int) -> np.ndarray:
    """Noise in 0..1 of a few octaves, (height, width)."""
    total = np.zeros((height, width))
    for octave in range(4):
        rows, columns = max(2, cells * height // width << octave), cells << octave
        grid = rng.random((rows + 1, columns + 1))
        y, x = np.linspace(0, rows - 1e-6, height), np.linspace(0, columns - 1e-6, width)
        i, j, v, u = y.astype(int), x.astype(int), (y % 1)[:, None], (x % 1)[None]
        u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
        above = grid[i][:, j] * (1 - u) + grid[i][:, j + 1] * u
        below = grid[i + 1][:, j] * (1 - u) + grid[i + 1][:, j + 1] * u
        total += (above * (1 - v) + below * v) / 2**octave
    return (total - total.min()) / np.ptp(total)


def lines_of_text(rng: np.random.Generator, pixels: np.ndarray, box: tuple[int, int, int, int], row: int, ink: np.ndarray) -> None:
    """Write rows of letter-like strokes into box (x1, y1, x2, y2), `row` pixels high."""
    x1, y1, x2, y2 = box
    for y in range(y1, y2 - row, 2 * row):
        x, end = x1, x2 - int(rng.integers(0, max((x2 - x1) // 3, 1)))
        while x < end - row:
            letters = int(rng.integers(2, 8))
            for _ in range(letters):
                if x >= end - 2:
                    break
                tall = int(rng.integers(row // 2, row + 1))
                pixels[y + row - tall : y + row, x : x + max(row // 3, 1)] = ink
                if rng.random() < 0.6:
                    pixels[y + row // 2 : y + row // 2 + max(row // 4, 1), x : x + max(row // 2, 1)] = ink
                x += max(int(row * 0.7), 2)
            x += row


def poster(rng: np.random.Generator, height: int = 160, width: int = 120) -> np.ndarray:
    """Abstract art, a landscape, or a notice with a headline and lines."""
    style = rng.integers(3)
    pixels = gradient(height, width, screen_colour(rng), screen_colour(rng))
    if style == 0:
        for _ in range(int(rng.integers(5, 14))):
            y, x = int(rng.integers(-20, height)), int(rng.integers(-20, width))
            pixels[max(y, 0) : y + int(rng.integers(8, height // 2)), max(x, 0) : x + int(rng.integers(8, width // 2))] = screen_colour(rng)
        band = (np.add.outer(np.arange(height), np.arange(width) * rng.uniform(-1, 1)) % int(rng.integers(30, 90))) < 6
        pixels[band] = screen_colour(rng)
    elif style == 1:
        pixels = gradient(height, width, screen_colour(rng, (0.1, 0.5), (0.7, 1)), screen_colour(rng, (0.1, 0.4), (0.7, 1)))
        for k in range(4):
            ridge = height * (0.35 + 0.15 * k) + 25 * (smooth_noise(rng, 4, width, 5)[1] - 0.5)
            pixels[np.arange(height)[:, None] > ridge[None]] = screen_colour(rng, (0.2, 0.6), (0.6 - 0.12 * k, 0.75 - 0.12 * k))
    else:
        pixels[:] = screen_colour(rng, (0, 0.25), (0.8, 1))
        ink = screen_colour(rng, (0.3, 0.9), (0.1, 0.5))
        pixels[: height // 5] = ink
        lines_of_text(rng, pixels, (8, height // 14, width - 8, height // 5), 12, np.ones(3))
        pixels[height // 4 : height // 2, 10 : width - 10] = poster_patch(rng, height // 2 - height // 4, width - 20)
        lines_of_text(rng, pixels, (10, height // 2 + 8, width - 10, height - 6), 5, ink)
    return np.clip(pixels * (0.94 + 0.06 * smooth_noise(rng, height, width, 6)[..., None]), 0, 1)


def poster_patch(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A blurred patch of colours, as a printed photograph from afar."""
    noise = np.stack([smooth_noise(rng, height, width, 4) for _ in range(3)], axis=2)
    return np.clip(screen_colour(rng) + 0.7 * (noise - 0.5), 0, 1)


def paper(rng: np.random.Generator) -> np.ndarray:
    """A printed page."""
    pixels = np.full((112, 80, 3), rng.uniform(0.86, 0.97))
    lines_of_text(rng, pixels, (8, 8, 72, 104), int(rng.integers(3, 6)), np.full(3, 0.25))
    return pixels


def desktop(rng: np.random.Generator) -> np.ndarray:
    """A computer's screen: a window with text, bars and a chart."""
    height, width = 108, 192
    pixels = gradient(height, width, screen_colour(rng, (0.3, 0.8), (0.2, 0.6)), screen_colour(rng, (0.3, 0.8), (0.3, 0.8)))
    for _ in range(2):
        x, y = int(rng.integers(4, 70)), int(rng.integers(4, 30))
        pixels[y : y + 70, x : x + 110] = 0.93 if rng.random() < 0.6 else 0.16
        pixels[y : y + 6, x : x + 110] = screen_colour(rng)
        lines_of_text(rng, pixels, (x + 5, y + 10, x + 70, y + 66), 3, np.full(3, 0.5))
        for k in range(5):
            tall = int(rng.integers(6, 40))
            pixels[y + 62 - tall : y + 62, x + 76 + 6 * k : x + 80 + 6 * k] = screen_colour(rng)
    return pixels


def sign(rng: np.random.Generator) -> np.ndarray:
    """A shop's sign: a colour and large letter-like strokes."""
    pixels = np.broadcast_to(screen_colour(rng, (0.2, 0.9), (0.15, 0.9)), (48, 256, 3)).copy()
    ink = np.ones(3) if pixels.mean() < 0.55 else np.full(3, 0.08)
    x = int(rng.integers(15, 70))
    for _ in range(int(rng.integers(5, 10))):
        pixels[10:38, x : x + 4] = ink
        for y in rng.choice([10, 22, 34], size=int(rng.integers(1, 3)), replace=False):
            pixels[y : y + 4, x : x + 14] = ink
        if rng.random() < 0.5:
            pixels[10:38, x + 12 : x + 16] = ink
        x += 21
    return pixels


def view(rng: np.random.Generator, *, green: float = 0.5) -> np.ndarray:
    """What one sees through a window by day: sky, houses with windows, trees; bright and soft."""
    height, width = 128, 256
    pixels = gradient(height, width, np.array([0.72, 0.85, 0.98]), np.array([0.95, 0.97, 1.0]))
    pixels += 0.12 * (smooth_noise(rng, height, width, 3)[..., None] - 0.5)
    x = 0
    while x < width:
        wide, tall = int(rng.integers(18, 50)), int(rng.integers(30, 85))
        if rng.random() > green:
            wall = screen_colour(rng, (0.05, 0.3), (0.6, 0.85))
            pixels[height - tall :, x : x + wide] = wall
            for wy in range(height - tall + 5, height - 8, 12):
                for wx in range(x + 4, min(x + wide - 6, width), 10):
                    pixels[wy : wy + 7, wx : wx + 5] = wall * rng.uniform(0.4, 0.75)
        x += wide
    crown = height * 0.8 - height * 0.5 * green * smooth_noise(rng, 8, width, 7)[3]
    leaves = smooth_noise(rng, height, width, 24)
    trees = np.arange(height)[:, None] > crown[None] + 6 * leaves
    pixels[trees] = (np.array([0.42, 0.55, 0.25]) + 0.35 * (leaves[..., None] - 0.45))[trees]
    return np.clip(pixels, 0, 1)


def sky(rng: np.random.Generator, overcast: float) -> np.ndarray:
    """A sky down to the horizon; `overcast` 0 is blue with clouds, 1 is grey."""
    height, width = 256, 512
    blue = gradient(height, width, np.array([0.32, 0.53, 0.82]), np.array([0.80, 0.88, 0.95]))
    clouds = np.clip((smooth_noise(rng, height, width, 5) - rng.uniform(0.42, 0.6)) * 3.5, 0, 1)[..., None]
    clear = blue * (1 - clouds) + np.array([0.96, 0.96, 0.97]) * clouds
    grey = gradient(height, width, np.full(3, 0.78), np.full(3, 0.93)) + 0.12 * (smooth_noise(rng, height, width, 3)[..., None] - 0.5)
    return np.clip(clear * (1 - overcast) + grey * overcast, 0, 1)


def shop_inside(rng: np.random.Generator) -> np.ndarray:
    """A lit shop seen through its window: shelves, goods, spots."""
    height, width = 128, 192
    pixels = gradient(height, width, screen_colour(rng, (0.1, 0.4), (0.35, 0.6)), screen_colour(rng, (0.1, 0.4), (0.15, 0.35)))
    for y in range(int(rng.integers(30, 45)), height - 10, int(rng.integers(20, 30))):
        x = int(rng.integers(0, 20))
        while x < width - 8:
            wide, tall = int(rng.integers(3, 14)), int(rng.integers(5, 18))
            pixels[y - tall : y, x : x + wide] = screen_colour(rng, (0.1, 0.7), (0.3, 0.9))
            x += wide + int(rng.integers(1, 9))
        pixels[y : y + 2] = 0.2
    for x in range(int(rng.integers(8, 20)), width - 4, int(rng.integers(24, 40))):
        pixels[6:9, x : x + 5] = 1.0
    return pixels
