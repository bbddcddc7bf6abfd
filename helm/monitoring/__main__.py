"""`make dashboards`: write helm/files/ anew."""

from helm.monitoring.files import rendered
from helm.tools.paths import ROOT


def main() -> None:
    """Write every file; one that is not generated any more has to be deleted by hand."""
    for path, text in rendered().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        print(path)


if __name__ == "__main__":
    main()
