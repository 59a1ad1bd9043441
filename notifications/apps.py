from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("WhatsApp")

    def ready(self) -> None:
        from notifications import checks  # noqa: F401
        from notifications.backends import checks as gateway_checks  # noqa: F401
