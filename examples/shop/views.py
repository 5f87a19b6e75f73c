"""The shop's pages."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET, require_POST

from shop import harmless, leaks, switches
from shop.models import Customer

LINES = 24


@require_GET
def front(request: HttpRequest) -> HttpResponse:
    """The switches."""
    off = switches.off()
    rows = [{"name": name, "text": text, "on": name not in off} for name, text in switches.NAMES.items()]
    return render(request, "shop/front.html", {"rows": rows})


@require_POST
def switch(request: HttpRequest, name: str) -> HttpResponse:
    """Switch a leak on or off. Memory already leaked stays: it is referred to until the workers restart."""
    if name not in switches.NAMES:
        raise Http404(f"no switch {name}")
    switches.toggle(name)
    return redirect("front")


def _basket(number: int) -> list[int]:
    return [100 + (number * line) % 900 for line in range(1, LINES + 1)]


def _customer(number: int) -> Customer:
    return Customer.objects.get(pk=number % 200 + 1)


@require_GET
def order(request: HttpRequest, number: int) -> HttpResponse:
    """Take an order; what it leaves behind is up to the switches."""
    off = switches.off()
    request_id = f"{number:08d}"
    basket, customer = _basket(number), _customer(number)
    total = leaks.quote(request_id, basket).total if "quotes" not in off else sum(basket)
    if "receivers" not in off:
        leaks.audit(request_id)
    if number % 50 == 0:
        leaks.order_placed.send(sender=None)
    if "thumbnails" not in off:
        for line in range(3):
            harmless.thumbnail(number * 3 + line)
    if "batch" not in off:
        harmless.import_rows(40)
    if "pool" not in off:
        harmless.warm_pool(4)
    return render(request, "shop/order.html", {"customer": customer, "basket": basket, "total": total})


@require_GET
def discount(request: HttpRequest, number: int) -> JsonResponse:
    """What a customer gets off."""
    percent = _customer(number).discount(number) if "customers" not in switches.off() else 0
    return JsonResponse({"percent": percent})


@require_GET
def receipt(request: HttpRequest, number: int) -> HttpResponse:
    """An order once more, to print."""
    basket = _basket(number)
    context = {"customer": _customer(number), "basket": basket, "total": sum(basket)}
    html = render_to_string("shop/order.html", context)
    if "fragments" not in switches.off():
        leaks.remember(html)
    return HttpResponse(html)
