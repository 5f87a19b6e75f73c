"""Make the shop's database and its 200 customers: ``python -m shop.prepare``."""

import os

import django

CUSTOMERS = 200


def main() -> None:
    """Migrate and fill; harmless when done already."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415 - after setup

    from shop.models import Customer  # noqa: PLC0415

    call_command("migrate", verbosity=0, interactive=False)
    Customer.objects.bulk_create(
        [Customer(pk=number, name=f"Customer {number}", orders=number % 40) for number in range(1, CUSTOMERS + 1)],
        ignore_conflicts=True,
    )


if __name__ == "__main__":
    main()
