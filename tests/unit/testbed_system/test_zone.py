import dns.rdatatype
import dns.zone

from experiments.testbed.system.zone import next_serial, zone_text

ADDRESSES = {"us-east-1": "127.0.1.1", "us-west-2": "127.0.2.1"}


def address(zone: dns.zone.Zone, name: str) -> tuple[str, int]:
    found = zone.find_rdataset(name, dns.rdatatype.A)
    return found[0].to_text(), found.ttl


def test_the_users_name_points_to_the_region_with_the_ttl() -> None:
    zone = dns.zone.from_text(zone_text("grandmodel.test", 5, 17, "us-west-2", ADDRESSES), "grandmodel.test")
    assert address(zone, "trade") == ("127.0.2.1", 5)
    assert address(zone, "us-east-1") == ("127.0.1.1", 5)
    assert zone.find_rdataset("@", dns.rdatatype.SOA)[0].serial == 17


def test_a_serial_grows_even_when_the_clock_does_not() -> None:
    assert next_serial(100, 500) == 500
    assert next_serial(500, 500) == 501
    assert next_serial(900, 500) == 901
