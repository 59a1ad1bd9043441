"""Our settings with django-q2's own broker: the same workers, the same time-outs, no results kept."""

from config.settings import *  # noqa: F403
from config.settings import Q_CLUSTER as OURS

Q_CLUSTER = {name: value for name, value in OURS.items() if name not in ("broker_class", "queue_limit")}
