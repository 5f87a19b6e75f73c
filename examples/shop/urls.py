"""Routes of the example shop."""

from django.urls import path

from shop import views

urlpatterns = [
    path("", views.front, name="front"),
    path("order/<int:number>/", views.order, name="order"),
    path("discount/<int:number>/", views.discount, name="discount"),
    path("receipt/<int:number>/", views.receipt, name="receipt"),
    path("switch/<slug:name>/", views.switch, name="switch"),
]
