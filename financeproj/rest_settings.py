"""Settings of the REST framework and the schema that do not depend on the environment."""

from financeproj.core.api.introduction import INTRODUCTION

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "financeproj.users.api.authentication.TokenAuthentication",
        "financeproj.users.api.authentication.BrowserSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["financeproj.core.api.renderers.ExactJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["financeproj.core.api.renderers.ExactJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "financeproj.core.api.renderers.AlwaysJSON",
    "DEFAULT_THROTTLE_CLASSES": [
        "financeproj.core.api.throttling.UserThrottle",
        "financeproj.core.api.throttling.AnonThrottle",
    ],
    "DEFAULT_METADATA_CLASS": "financeproj.core.api.metadata.NameAndDescription",
    "DEFAULT_SCHEMA_CLASS": "financeproj.core.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "drf_standardized_errors.handler.exception_handler",
    "DATETIME_FORMAT": None,  # the renderer formats them, in UTC with a Z
    "DATE_FORMAT": None,
    "COERCE_DECIMAL_TO_STRING": False,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
DRF_STANDARDIZED_ERRORS = {
    "EXCEPTION_HANDLER_CLASS": "financeproj.core.api.errors.ApiExceptionHandler",
    "EXCEPTION_FORMATTER_CLASS": "financeproj.core.api.errors.ApiExceptionFormatter",
    "ENABLE_IN_DEBUG_FOR_UNHANDLED_EXCEPTIONS": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "financeproj",
    "VERSION": "1",
    # 3.1 uses JSON Schema: null is a type, also next to a reference.
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": INTRODUCTION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "financeproj.core.api.schema.add_refusals",
    ],
    "ENUM_NAME_OVERRIDES": {
        "TransactionTypeEnum": "portfolios.models.TRANSACTION_TYPES",
        "TradeTypeEnum": "portfolios.models.TRADE_TYPE_CHOICES",
        "ActionKindEnum": "portfolios.models.ACTION_KIND_CHOICES",
        "TransferKindEnum": "portfolios.models.TRANSFER_KIND_CHOICES",
        "MoneyTypeEnum": "portfolios.models.MONEY_TYPE_CHOICES",
        "TransactionSourceEnum": "portfolios.models.TransactionSource",
        "ErrorTypeEnum": "financeproj.core.api.schema.ERROR_TYPES",
    },
}
