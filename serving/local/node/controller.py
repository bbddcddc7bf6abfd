"""What the Serve controller of one machine is told before it starts its proxies."""

from ray.serve._private.proxy_state import ProxyStateManager


def without_fallback_proxy() -> None:
    """For RAY_SERVE_CONTROLLER_CALLBACK_IMPORT_PATH: HAProxy alone.

    Beside it Serve keeps a proxy of its own, a process of 95 MiB, to which requests go while an
    application has no replica, as one that is scaled to zero. Ours never is; while its only ingress
    replica is started again, HAProxy refuses in the words of our API.
    """
    ProxyStateManager._start_fallback_proxy_if_needed = lambda *_: None  # type: ignore[method-assign]
