"""The shop's pages."""

from django.http import Http404, HttpRequest, HttpResponse
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


@require_GET
def order(request: HttpRequest, number: int) -> HttpResponse:
    """Take an order; what it leaves behind is up to the switches."""
    off = switches.off()
    request_id = f"{number:08d}"
    basket = [100 + (number * line) % 900 for line in range(1, LINES + 1)]
    customer = Customer.objects.get(pk=number % 200 + 1)
    total = leaks.quote(request_id, basket).total if "quotes" not in off else sum(basket)
    discount = customer.discount(number) if "customers" not in off else 0
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
    html = render_to_string(
        "shop/order.html", {"customer": customer, "basket": basket, "total": total, "discount": discount}
    )
    if "fragments" not in off:
        leaks.remember(html)
    return HttpResponse(html)
