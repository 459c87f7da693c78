"""Formulas of queueing theory. Rates a second, times in seconds; `load` = arrival rate / service rate of one server."""

from math import exp, factorial

from scipy import integrate, optimize


def erlang_b(servers: int, load: float) -> float:
    """Share of arrivals lost without a waiting room (Erlang 1917), by the stable recursion."""
    b = 1.0
    for n in range(1, servers + 1):
        b = load * b / (n + load * b)
    return b


def erlang_c(servers: int, load: float) -> float:
    """Share of arrivals that wait, with an unlimited waiting room."""
    b = erlang_b(servers, load)
    return b / (1 - load / servers * (1 - b))


def mmc_wait(servers: int, arrival: float, service: float) -> float:
    """Mean wait of M/M/c."""
    return erlang_c(servers, arrival / service) / (servers * service - arrival)


def mmck_lost(servers: int, places: int, load: float) -> float:
    """Share lost of M/M/c/K with `places` in all."""
    weights = [
        load**n / factorial(n) if n <= servers else load**n / (factorial(servers) * servers ** (n - servers))
        for n in range(places + 1)
    ]
    return weights[-1] / sum(weights)


def pollaczek_khinchine(arrival: float, mean: float, second_moment: float) -> float:
    """Mean wait of M/G/1."""
    return arrival * second_moment / (2 * (1 - arrival * mean))


def impatient_lost(servers: int, arrival: float, service: float, patience: float) -> float:
    """Share lost of M/M/c+D: patience is the same for all (Baccelli and Hebuterne 1981).

    The offered wait has density arrival p(c-1) exp(arrival min(w, patience) - servers service w).
    """
    load, drift = arrival / service, arrival - servers * service
    states = [load**n / factorial(n) for n in range(servers)]
    density = arrival * states[-1]
    waiting = density * integrate.quad(lambda w: exp(drift * w), 0, patience)[0]
    lost = density * exp(drift * patience) / (servers * service)
    return lost / (sum(states) + waiting + lost)


def erlang_a(servers: int, arrival: float, service: float, patience: float) -> tuple[float, float, float]:
    """Share lost, mean wait (of all, lost or served) and share that waits of M/M/c+M, patience in the mean (Palm 1957).

    Arrivals that see n in the system, n >= servers, wait; who waits leaves at the rate 1 / patience.
    """
    weight, states = 1.0, [1.0]
    while len(states) <= servers or weight > 1e-18 * max(states):
        n = len(states)
        weight *= arrival / (min(n, servers) * service + max(0, n - servers) / patience)
        states.append(weight)
    total = sum(states)
    waiting = sum((n - servers) * w for n, w in enumerate(states) if n > servers) / total
    return waiting / patience / arrival, waiting / arrival, sum(states[servers:]) / total


def gi_m_1_root(transform: object) -> float:
    """The share of arrivals that wait in GI/M/1: root in (0, 1) of x = transform(x), not 1."""
    return float(optimize.brentq(lambda x: transform(x) - x, 1e-12, 1 - 1e-6))


def erlang_m_1_waiting(stages: int, arrival: float, service: float) -> float:
    """Share of arrivals that wait in E_k/M/1, from the transform of an Erlang interarrival time."""
    stage = stages * arrival
    return gi_m_1_root(lambda x: (stage / (stage + service * (1 - x))) ** stages)


def kingman(arrival: float, spread_of_arrivals: float, spread_of_work: float, load: float) -> float:
    """Upper bound of the mean wait of GI/G/1 from the variances (Kingman 1962)."""
    return arrival * (spread_of_arrivals + spread_of_work) / (2 * (1 - load))
