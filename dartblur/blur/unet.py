"""The U-Net of DartBlur (CVPR 2023): PixelShuffle upsampling, additive skips at the deep levels, concatenated ones at the two shallow levels.

With ``width=32, depth=5`` it has the 12,653,187 parameters of the paper's network.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.01
_GRID = 4
"""The painted rectangle has edges at multiples of this, so that the convolutions meet few sizes: a new one costs the library a new plan."""


@dataclass(frozen=True)
class Part:
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right`` of a level's pixels, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def wider(self) -> "Part":
        """With one more pixel on every side, maybe beyond the level's edge."""
        return Part(self.top - 1, self.bottom + 1, self.left - 1, self.right + 1)

    def coarser(self) -> "Part":
        """What it touches of the level that is half as fine."""
        return Part(self.top // 2, -(-self.bottom // 2), self.left // 2, -(-self.right // 2))

    def finer(self) -> "Part":
        """The same of the level that is twice as fine."""
        return Part(2 * self.top, 2 * self.bottom, 2 * self.left, 2 * self.right)

    def within(self, other: "Part") -> "Part":
        """What both have in common."""
        return Part(max(self.top, other.top), min(self.bottom, other.bottom), max(self.left, other.left), min(self.right, other.right))

    def cut(self, x: Tensor) -> Tensor:
        """This part of a whole level (B, C, H, W)."""
        return x[:, :, self.top : self.bottom, self.left : self.right]


def part_of(mask: Tensor) -> Part:
    """The rectangle of the grid around the masks (B, 1, H, W) of a batch; all of it where they are empty."""
    inside, ends = mask.bool(), []
    for across, length in ((3, mask.shape[2]), (2, mask.shape[3])):
        known = torch.nonzero(inside.any(dim=(0, 1, across)))[:, 0].tolist()
        ends += [known[0] // _GRID * _GRID, min((known[-1] // _GRID + 1) * _GRID, length)] if known else [0, length]
    return Part(*ends)


def _convolve(conv: nn.Conv2d, x: Tensor, held: Part, wanted: Part) -> Tensor:
    """The ``wanted`` part of a 3 x 3 convolution's output, from the part ``held`` of its input; what is not held is zero, as beyond the edge."""
    margins = (held.left - wanted.left + 1, wanted.right - held.right + 1, held.top - wanted.top + 1, wanted.bottom - held.bottom + 1)
    if all(margin == 1 for margin in margins):
        return conv(x)  # type: ignore[no-any-return]
    return F.conv2d(F.pad(x, margins), conv.weight, conv.bias)


@dataclass(frozen=True)
class Course:
    """The parts that an :class:`Up` goes through: ``held`` of its input, ``middle`` between its convolutions, ``wanted`` of its output."""

    held: Part
    middle: Part
    wanted: Part

    @classmethod
    def to(cls, wanted: Part, level: Part) -> "Course":
        """The shortest one to ``wanted``; ``level`` is the whole input."""
        middle = wanted.wider().coarser().within(level)
        return cls(middle.wider().within(level), middle, wanted)


class Down(nn.Module):
    """Two convolutions and a 2 x 2 max pool: (B, inputs, H, W) to (B, outputs, H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        # In place: a convolution's backward pass does not ask for what it put out.
        x = F.leaky_relu(self.first(x), SLOPE, inplace=True)
        return F.max_pool2d(F.leaky_relu(self.second(x), SLOPE, inplace=True), 2)


class Up(nn.Module):
    """A convolution, PixelShuffle and a convolution: (B, inputs, H, W) to (B, outputs, 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int, middle: int, *, last: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, middle, 3, padding=1)
        self.second = nn.Conv2d(middle // 4, outputs, 3, padding=1)
        self.last = last

    def forward(self, x: Tensor, course: Course) -> Tensor:
        """The held part of (B, inputs, H, W) to the wanted part of (B, outputs, 2H, 2W)."""
        x = F.leaky_relu(_convolve(self.first, x, course.held, course.middle), SLOPE, inplace=True)
        x = _convolve(self.second, F.pixel_shuffle(x, 2), course.middle.finer(), course.wanted)
        return x if self.last else F.leaky_relu(x, SLOPE, inplace=True)


def _start_alive(unet: nn.Module) -> None:
    """He's initialisation (2015): under torch's own, made for other activations, a signal of sixteen layers and more dies out and U learns slowly."""
    for module in unet.modules():
        if isinstance(module, nn.Conv2d) and module.bias is not None:
            nn.init.kaiming_normal_(module.weight, a=SLOPE)
            nn.init.zeros_(module.bias)
    for module in unet.modules():
        if isinstance(module, Up):
            _start_smooth(module.first)


def _start_smooth(conv: nn.Conv2d) -> None:
    """Start the four sub-pixels of every PixelShuffle cell equal (ICNR, Aitken et al. 2017): otherwise training begins with a dot pattern."""
    with torch.no_grad():
        conv.weight.copy_(conv.weight[::4].repeat_interleave(4, dim=0))
        if conv.bias is not None:
            conv.bias.copy_(conv.bias[::4].repeat_interleave(4, dim=0))


class UNet(nn.Module):
    """Turns a pre-blurred picture and its mask into the anonymised picture, all in -1 to 1.

    The output is tanh(out + artanh(input)) rather than the original's tanh(out + input), and ``out`` starts at zero: an untrained network returns
    its input to within a thousandth of a grey level, where the original's starts up to 30 grey levels away from it.

    The last levels, which cost most, run on the rectangle around all masks of the batch and the pixels that it is made of: exactly what running on
    everything and cutting it out would give.

    Args:
        width: channels of the first level, doubled at every level.
        depth: levels, at least 3; inputs must be multiples of ``2 ** depth``.
    """

    HEADROOM = 0.998
    """The input is scaled by this inside artanh, which is infinite at 1, and the output back."""
    whole = False
    """Paint everything, not just a rectangle around the masks: for comparisons."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.width, self.depth = width, depth
        widths = [width << level for level in range(depth)]  # width, 2 width, 4 width, ...
        self.down = nn.ModuleList(Down(inputs, outputs) for inputs, outputs in zip([4, *widths[:-1]], widths, strict=True))
        # Deepest first; the two shallowest concatenate, so they take twice their skip's width, and the last but one makes 3 width of it.
        deep = [Up(widths[level], widths[level - 1], 4 * widths[level - 1]) for level in range(depth - 1, 1, -1)]
        shallow = [Up(4 * width, 3 * width, 12 * width), Up(4 * width, 3, 12 * width, last=True)]
        self.up = nn.ModuleList([*deep, *shallow])
        _start_alive(self)
        nn.init.zeros_(shallow[-1].second.weight)

    def forward(self, blurred: Tensor, mask: Tensor) -> Tensor:
        """Args: blurred (B, 3, H, W) in -1 to 1; mask (B, 1, H, W), 0 or 1. Returns (B, 3, H, W) in -1 to 1: the input outside the painted part."""
        height, width = blurred.shape[2:]
        courses = [Course.to(Part(0, height, 0, width) if self.whole else part_of(mask), Part(0, height // 2, 0, width // 2))]
        for level in range(2, self.depth + 1):
            courses.append(Course.to(courses[-1].held, Part(0, height >> level, 0, width >> level)))
        skips = []
        x = torch.cat([blurred, mask], dim=1)  # (B, 4, H, W)
        for down in self.down:
            x = down(x)
            skips.append(x)  # (B, width << level, H >> level + 1, ...)
        x = courses[-1].held.cut(skips.pop())
        for up in self.up[:-1]:
            course = courses.pop()
            skip = course.wanted.cut(skips.pop())
            # The two shallowest skips are concatenated, all deeper ones added.
            x = torch.cat([up(x, course), skip], dim=1) if len(skips) < 2 else up(x, course) + skip
        painted = courses[0].wanted
        out = self.up[-1](x, courses[0]).to(blurred.dtype)  # (B, 3, h, w); whatever the convolutions ran in, what follows is exact
        out = F.pad(out, (painted.left, width - painted.right, painted.top, height - painted.bottom))  # (B, 3, H, W)
        return torch.tanh(out + torch.atanh(blurred * self.HEADROOM)) / self.HEADROOM


def blend(unet: Callable[[Tensor, Tensor], Tensor], blurred: Tensor, mask: Tensor) -> Tensor:
    """g(x) of the method: the U-Net inside the mask, the pre-blurred picture elsewhere.

    Args:
        blurred: x~, (B, 3, H, W), grey levels 0 to 255. mask: b, (B, 1, H, W), 0 or 1.

    Returns:
        (B, 3, H, W) grey levels, differentiable in the network's weights. The clean picture is no argument: g cannot leak what it never sees.
    """
    painted = (unet(blurred / 127.5 - 1, mask) + 1) * 127.5
    return mask * painted + (1 - mask) * blurred
