"""Removes a RayService and waits until it is gone: `python serving/cluster/remove.py NAME`.

The pre-delete hook of the chart. Only the standard library: it runs when something is in a hurry.
"""

import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

API = "https://kubernetes.default.svc"
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WAIT_S = 230.0


def remove(
    name: str, api: str = API, account: Path = ACCOUNT, wait_s: float = WAIT_S, every_s: float = 1.0
) -> bool:
    """Delete it; True when it and its clusters are gone, False when they are not within `wait_s`.

    account: folder of the service account's token, namespace and certificate. Raises OSError.
    """
    namespace = (account / "namespace").read_text()
    objects = f"{api}/apis/ray.io/v1/namespaces/{namespace}"
    certificate = account / "ca.crt"
    trust = ssl.create_default_context(cafile=certificate) if certificate.is_file() else None

    def ask(method: str, path: str, body: object = None) -> Any:
        """What the API answers; None: there is no such object."""
        headers = {
            "authorization": f"Bearer {(account / 'token').read_text()}",
            "content-type": "application/json",
        }
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{objects}/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def there() -> bool:
        """Whether anything of it is left: KubeRay before 1.6.2 ends the clusters after the rest."""
        clusters = ask("GET", f"rayclusters?labelSelector=ray.io/originated-from-cr-name%3D{name}")
        return bool(ask("GET", f"rayservices/{name}") or clusters["items"])

    # Background: what belongs to a cluster, its token for one, must be there until it is gone,
    # since the job that clears its state out of Redis needs it.
    ask("DELETE", f"rayservices/{name}", {"propagationPolicy": "Background"})
    deadline_s = time.monotonic() + wait_s
    while there():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(every_s)
    return True


def main() -> int:
    """The exit status."""
    name = sys.argv[1]
    try:
        gone = remove(name)
    except OSError as error:
        print(f"the RayService {name} is not removed: {error}", file=sys.stderr)
        return 1
    if not gone:
        print(f"the RayService {name} is still there after {WAIT_S:.0f} s", file=sys.stderr)
        return 1
    print(f"the RayService {name} is removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
