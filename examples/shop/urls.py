"""Routes of the example shop."""

from django.urls import path

from shop import views

urlpatterns = [
    path("", views.front, name="front"),
    path("order/<int:number>/", views.order, name="order"),
    path("switch/<slug:name>/", views.switch, name="switch"),
]
