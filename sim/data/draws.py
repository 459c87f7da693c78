"""Random numbers as pure functions of (stream key, number).

A stream is SplitMix64 (Steele, Lea, Flood 2014) started at the stream's key; number n of it is found
directly, so that no draw depends on chunk sizes, on horizons or on what else is drawn. A key is made from
(seed, trial, entity name, purpose): adding an entity or changing a count moves no other draw.
The chance that two of 1,000 streams of 3e7 numbers overlap is below 1e-5.
"""

import hashlib
import math

import numpy as np

from sim.data.compiled import forced

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_ATTEMPT = np.uint64(0xD1B54A32D192ED03)


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
    return (np.float64(bits(key, n) >> np.uint64(12)) + 0.5) * (1.0 / 4503599627370496.0)


@forced
def exponential(key: np.uint64, n: int) -> float:
    """Return a unit-rate exponential number, number n of the stream."""
    return -math.log(uniform(key, n))


@forced
def normal(key: np.uint64, n: int) -> float:
    """Return a standard normal number: inverse distribution function (Wichura 1988, AS 241 PPND16)."""
    return normal_quantile(uniform(key, n))


@forced
def normal_quantile(p: float) -> float:
    """Standard normal quantile of p in (0, 1), relative error about 1e-16 (Wichura 1988, AS 241)."""
    q = p - 0.5
    if abs(q) <= 0.425:
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
    r = p if q < 0.0 else 1.0 - p
    r = math.sqrt(-math.log(r))
    if r <= 5.0:
        r -= 1.6
        num = (
            (
                (
                    (
                        ((7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r + 2.41780725177450611770e-1)
                        * r
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
                        ((1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r + 1.51986665636164571966e-2)
                        * r
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
    else:
        r -= 5.0
        num = (
            (
                (
                    (
                        ((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 1.24266094738807843860e-3)
                        * r
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
                        ((2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r + 1.84631831751005468180e-5)
                        * r
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
    x = num / den
    return -x if q < 0.0 else x
