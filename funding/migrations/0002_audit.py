from core.db.audit_trail import AuditChanges
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('core', '0002_audit'),
        ('funding', '0001_initial'),
    ]

    operations = [
        AuditChanges(
            "funding_achrelationship",
            subject="funding.AchRelationship",
            columns=["state", "vendor_status", "broker_relationship_id"],
        ),
        AuditChanges(
            "funding_transfer",
            subject="funding.Transfer",
            columns=["state", "vendor_status", "direction", "amount", "broker_transfer_id"],
        ),
    ]
