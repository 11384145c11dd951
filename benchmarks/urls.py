"""The application's routes, plus an empty authenticated view for comparison."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from financeproj.urls import urlpatterns as of_the_application


class EmptyView(APIView):
    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [path("empty", EmptyView.as_view()), *of_the_application]
