"""HTTP bindings of services whose installed clients speak gRPC only, as `google.api.http` of their published protos has
them: google/monitoring/v3 (metric_service.proto, alert_service.proto, notification_service.proto)."""

from __future__ import annotations

_METRICS = "/v3/{name=projects/*/metricDescriptors/**}"
_POLICY = "/v3/{name=projects/*/alertPolicies/*}"
_CHANNEL = "/v3/{name=projects/*/notificationChannels/*}"

BINDINGS: dict[str, dict[str, tuple[str, str, str]]] = {
    "metric_service": {
        "CreateMetricDescriptor": ("POST", "/v3/{name=projects/*}/metricDescriptors", "metric_descriptor"),
        "CreateTimeSeries": ("POST", "/v3/{name=projects/*}/timeSeries", "*"),
        "DeleteMetricDescriptor": ("DELETE", _METRICS, ""),
        "GetMetricDescriptor": ("GET", _METRICS, ""),
        "ListMetricDescriptors": ("GET", "/v3/{name=projects/*}/metricDescriptors", ""),
        "ListTimeSeries": ("GET", "/v3/{name=projects/*}/timeSeries", ""),
    },
    "alert_policy_service": {
        "CreateAlertPolicy": ("POST", "/v3/{name=projects/*}/alertPolicies", "alert_policy"),
        "DeleteAlertPolicy": ("DELETE", _POLICY, ""),
        "GetAlertPolicy": ("GET", _POLICY, ""),
        "ListAlertPolicies": ("GET", "/v3/{name=projects/*}/alertPolicies", ""),
        "UpdateAlertPolicy": ("PATCH", "/v3/{alert_policy.name=projects/*/alertPolicies/*}", "alert_policy"),
    },
    "notification_channel_service": {
        "CreateNotificationChannel": ("POST", "/v3/{name=projects/*}/notificationChannels", "notification_channel"),
        "DeleteNotificationChannel": ("DELETE", _CHANNEL, ""),
        "GetNotificationChannel": ("GET", _CHANNEL, ""),
        "ListNotificationChannels": ("GET", "/v3/{name=projects/*}/notificationChannels", ""),
        "UpdateNotificationChannel": (
            "PATCH", "/v3/{notification_channel.name=projects/*/notificationChannels/*}", "notification_channel",
        ),
    },
}  # fmt: skip
"""By the module of the service and the RPC: verb, template, body."""
