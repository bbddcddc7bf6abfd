"""Which addresses of the network belong to somebody on the Internet."""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# They carry an address of IPv4, which may be one inside: translated, or tunnelled.
_CARRIERS = tuple(
    ipaddress.ip_network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")
)


def is_public(address: Address) -> bool:
    """Whether the address belongs to somebody on the Internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _CARRIERS):
            return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )
