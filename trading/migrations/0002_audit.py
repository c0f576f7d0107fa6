from core.db.audit_trail import AuditChanges
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0002_audit'),
        ('trading', '0001_initial'),
    ]

    operations = [
        AuditChanges(
            "trading_order",
            subject="trading.Order",
            columns=[
                "state",
                "vendor_status",
                "symbol",
                "side",
                "quantity",
                "notional",
                "limit_price",
                "broker_order_id",
                "placed_by",
            ],
        ),
        AuditChanges("trading_proposal", subject="trading.Proposal", columns=["state", "hash"]),
        AuditChanges(
            "trading_approval", subject="trading.Approval", columns=["approved_by", "hash"]
        ),
        AuditChanges(
            "trading_execution",
            subject="trading.Execution",
            columns=["execution_id", "quantity", "price", "is_busted"],
        ),
    ]
