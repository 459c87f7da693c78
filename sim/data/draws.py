"""Random numbers as pure functions of (stream key, number).

A stream is SplitMix64 (Steele, Lea, Flood 2014) started at the stream's key; number n of it is found
directly, so that no draw depends on chunk sizes, on horizons or on what else is drawn. A key is made from
(seed, trial, entity name, purpose): adding an entity or changing a count moves no other draw.
The chance that two of 1,000 streams of 3e7 numbers overlap is below 1e-5.

Logarithm and exponential are our own (as in fdlibm): the same bits on every machine, and no call in a loop.
"""

import hashlib
import math

import numpy as np

from sim.data.bits import bits_of_float, float_of_bits
from sim.data.compiled import forced

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_ATTEMPT = np.uint64(0xD1B54A32D192ED03)
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
FAR = 6.1
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding and taking it away rounds to a whole number


def stream_key(seed: int, trial: int, entity: str, purpose: str) -> np.uint64:
    """Key of the stream of one purpose of one entity in one trial (SHA-256 of all four)."""
    text = f"{seed}\x1f{trial}\x1f{entity}\x1f{purpose}".encode()
    return np.uint64(int.from_bytes(hashlib.sha256(text).digest()[:8], "little"))


@forced
def bits(key: np.uint64, n: int) -> np.uint64:
    """Return 64 random bits, number n of the stream."""
    z = key + np.uint64(n + 1) * _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))


@forced
def attempt_key(key: np.uint64, attempt: int) -> np.uint64:
    """Key of the stream of a later attempt; attempt 0 keeps the key."""
    if attempt == 0:
        return key
    return bits(key ^ _ATTEMPT, attempt)


@forced
def uniform(key: np.uint64, n: int) -> float:
    """Return a uniform number in (0, 1), number n of the stream."""
    return (np.float64(np.int64(bits(key, n) >> np.uint64(12))) + 0.5) * (1.0 / 4503599627370496.0)


@forced
def log(x: float) -> float:
    """Natural logarithm of a positive normal number, within one unit in the last place (fdlibm's e_log)."""
    raised = bits_of_float(x) + (0x3FF00000_00000000 - 0x3FE6A09E_00000000)
    k = np.float64((raised >> 52) - 1023)
    f = float_of_bits((raised & 0x000FFFFF_FFFFFFFF) + 0x3FE6A09E_00000000) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + (odd + even)) + k * _LN2_LOW)) - f)


@forced
def exp(x: float) -> float:
    """Exponential of a number in [-700, 700], within one unit in the last place (fdlibm's e_exp)."""
    k = (x * 1.44269504088896338700 + _ROUND) - _ROUND
    high = x - k * _LN2_HIGH
    low = k * _LN2_LOW
    r = high - low
    t = r * r
    c = r - t * (
        1.66666666666666019037e-01
        + t
        * (
            -2.77777777770155933842e-03
            + t * (6.61375632143793436117e-05 + t * (-1.65339022054652515390e-06 + t * 4.13813679705723846039e-08))
        )
    )
    y = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    return y * float_of_bits((np.int64(k) + 1023) << 52)


@forced
def exponential(key: np.uint64, n: int) -> float:
    """Return a unit-rate exponential number, number n of the stream."""
    return -log(uniform(key, n))


@forced
def normal(key: np.uint64, n: int) -> float:
    """Return a standard normal number: inverse distribution function (Wichura 1988, AS 241 PPND16)."""
    return normal_quantile(uniform(key, n))


@forced
def normal_quantile(p: float) -> float:
    """Standard normal quantile of p in (0, 1) (Wichura 1988, AS 241).

    Relative error about 1e-16 up to 6.6 sigma, below 1e-12 beyond: the formula for up to there holds to 8.2 sigma,
    the largest normal number that can be drawn.
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        return central_quantile(q)
    r = math.sqrt(-log(p if q < 0.0 else 1.0 - p))
    x = tail_quantile(r) if r <= FAR else _far_quantile(r)
    return -x if q < 0.0 else x


@forced
def central_quantile(q: float) -> float:
    """Quantile of 0.5 + q, |q| <= 0.425."""
    r = 0.180625 - q * q
    num = (
        (
            (
                (
                    ((2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r + 6.7265770927008700853e4) * r
                    + 4.5921953931549871457e4
                )
                * r
                + 1.3731693765509461125e4
            )
            * r
            + 1.9715909503065514427e3
        )
        * r
        + 1.3314166789178437745e2
    ) * r + 3.3871328727963666080e0
    den = (
        (
            (
                (
                    ((5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r + 3.9307895800092710610e4) * r
                    + 2.1213794301586595867e4
                )
                * r
                + 5.3941960214247511077e3
            )
            * r
            + 6.8718700749205790830e2
        )
        * r
        + 4.2313330701600911252e1
    ) * r + 1.0
    return q * num / den


@forced
def tail_quantile(r: float) -> float:
    """Quantile in the upper tail of probability exp(-r^2), r <= FAR."""
    r -= 1.6
    num = (
        (
            (
                (
                    ((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1) * r
                    + 1.27045825245236838258e0
                )
                * r
                + 3.64784832476320460504e0
            )
            * r
            + 5.76949722146069140550e0
        )
        * r
        + 4.63033784615654529590e0
    ) * r + 1.42343711074968357734e0
    den = (
        (
            (
                (
                    ((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2) * r
                    + 1.48103976427480074590e-1
                )
                * r
                + 6.89767334985100004550e-1
            )
            * r
            + 1.67638483018380384940e0
        )
        * r
        + 2.05319162663775882187e0
    ) * r + 1.0
    return num / den


@forced
def _far_quantile(r: float) -> float:
    """Quantile in the upper tail of probability exp(-r^2), r > FAR."""
    r -= 5.0
    num = (
        (
            (
                (
                    ((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3) * r
                    + 2.65321895265761230930e-2
                )
                * r
                + 2.96560571828504891230e-1
            )
            * r
            + 1.78482653991729133580e0
        )
        * r
        + 5.46378491116411436990e0
    ) * r + 6.65790464350110377720e0
    den = (
        (
            (
                (
                    ((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5) * r
                    + 7.86869131145613259100e-4
                )
                * r
                + 1.48753612908506148525e-2
            )
            * r
            + 1.36929880922735805310e-1
        )
        * r
        + 5.99832206555887937690e-1
    ) * r + 1.0
    return num / den
