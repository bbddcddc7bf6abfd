"""HAProxy on one machine: it listens for the storefront, and for nobody else."""

import re

from ray.serve._private import haproxy_templates as templates

_ITS_OWN = re.compile(r"^(?:frontend prometheus|listen stats)\n(?:[ ]+.*\n)+", re.MULTILINE)


def without_its_own_pages() -> None:
    """For the process that writes HAProxy's configuration, before Serve's HAProxy is imported.

    Serve lets HAProxy show its state on two ports of all interfaces, to whoever asks, and has no
    setting that leaves them out. Nothing here reads them: Serve asks HAProxy by its socket.
    """
    templates.HAPROXY_CONFIG_TEMPLATE, n_found = _ITS_OWN.subn(
        "", templates.HAPROXY_CONFIG_TEMPLATE
    )
    assert n_found == 2, "Serve's template for HAProxy has changed"
