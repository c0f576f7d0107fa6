"""A customer whose every word is a canary, and what they send."""

import base64
import random
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.privacy.canaries import Net

_ABA = (3, 7, 1, 3, 7, 1, 3, 7)


@dataclass
class Person:
    """One customer; all of them share their numbers, and each has an address of their own."""

    net: Net
    numbers: "Numbers"
    name: str
    user_id: str = field(default_factory=lambda: str(uuid4()))
    account: str = ""
    token: str = field(default="", repr=False)

    @property
    def email(self) -> str:
        return f"{self.net.word(f'mail{self.name}')}@example.com"

    def application(self, *, is_boss: bool = False) -> dict[str, Any]:
        """Fill every section of the form; the broker asks a boss for a document."""
        word, numbers = self.net.word, self.numbers
        return {
            "contact": self.contact() | {"email_address": self.email},
            "identity": {
                "given_name": word("given"),
                "middle_name": word("middle"),
                "family_name": f"O'{word('family')}",
                "date_of_birth": numbers.born,
                "tax_id_type": "USA_SSN",
                "tax_id": numbers.ssn,
                "country_of_citizenship": "USA",
                "country_of_birth": "USA",
                "country_of_tax_residence": "USA",
                "funding_source": ["employment_income"],
                "annual_income_min": "30000",
                "annual_income_max": "50000",
            },
            "disclosures": {
                "is_control_person": is_boss,
                "is_affiliated_exchange_or_finra": False,
                "is_politically_exposed": False,
                "immediate_family_exposed": False,
                "employment_status": "EMPLOYED",
                "employer_name": word("employer"),
                "employer_address": f"9 {word('office')} Road",
                "employment_position": word("position"),
                **({"context": [self.firm()]} if is_boss else {}),
            },
            "agreements": [{"agreement": "customer_agreement"}],
            "documents": [self.document("firstdocument")],
            "trusted_contact": self.trusted(),
            "additional_information": f"Please call me {word('remark')}.",
        }

    def foreign_application(self) -> dict[str, Any]:
        form = self.application()
        form["identity"] |= {
            "tax_id_type": "PASSPORT",
            "tax_id": self.numbers.passport,
            "country_of_tax_residence": "DEU",
        }
        return form

    def contact(self) -> dict[str, Any]:
        word = self.net.word
        return {
            "phone_number": self.numbers.phone,
            "street_address": [f"12 {word('street')} Street", f"Back of {word('yard')}"],
            "unit": word("unit"),
            "city": word("city"),
            "state": "CA",
            "postal_code": "94105",
            "country": "USA",
        }

    def trusted(self) -> dict[str, Any]:
        word = self.net.word
        return {
            "given_name": word("trustedgiven"),
            "family_name": word("trustedfamily"),
            "email_address": f"{word('trustedmail')}@example.com",
            "phone_number": self.numbers.trusted_phone,
        }

    def firm(self) -> dict[str, Any]:
        word = self.net.word
        return {
            "context_type": "CONTROLLED_FIRM",
            "company_name": word("firm"),
            "company_street_address": f"7 {word('firmstreet')} Lane",
            "company_city": word("firmcity"),
            "company_state": "CA",
            "company_country": "USA",
            "company_compliance_email": f"{word('compliance')}@example.com",
        }

    def move(self) -> dict[str, Any]:
        """Change how they are reached."""
        word = self.net.word
        return {
            "contact": {
                "phone_number": self.numbers.new_phone,
                "street_address": [f"3 {word('newstreet')} Street"],
                "city": word("newcity"),
            },
            "trusted_contact": {"family_name": word("newtrusted")},
        }

    def document(self, name: str = "document") -> dict[str, Any]:
        text = f"%PDF-1.7 passport of {self.net.word(name)}, {self.numbers.ssn}".encode()
        return {
            "document_type": "identity_verification",
            "document_sub_type": "passport",
            "content": base64.b64encode(text).decode(),
            "mime_type": "application/pdf",
        }

    def bank(self) -> dict[str, Any]:
        return {
            "accountId": self.account,
            "bankAccountType": "CHECKING",
            "bankAccountNumber": self.numbers.bank,
            "bankRoutingNumber": self.numbers.routing,
            "accountOwnerName": f"{self.net.word('owner')} Jones",
            "nickname": "My account",
        }


class Numbers:
    """The numbers that all of them share."""

    def __init__(self, net: Net) -> None:
        def digits(count: int) -> str:
            return str(random.randrange(10 ** (count - 1), 10**count))

        area = random.choice([each for each in range(100, 900) if each != 666])
        self.ssn = net.number("ssn", f"{area}-{digits(2)}-{digits(4)}")
        self.said = net.number("said", f"{area}-{digits(2)}-{digits(4)}")
        self.checked = net.number("checked", f"{area}-{digits(2)}-{digits(4)}")
        year, month, day = random.randrange(1950, 1990), random.randrange(1, 13), digits(2)
        day = f"{int(day) % 28 + 1:02}"
        self.born = net.number("born", f"{year}-{month:02}-{day}", f"{month:02}/{day}/{year}")
        self.phone = net.number("phone", f"+1 415 {digits(3)} {digits(4)}")
        self.new_phone = net.number("newphone", f"+1 628 {digits(3)} {digits(4)}")
        self.trusted_phone = net.number("trustedphone", f"+1 510 {digits(3)} {digits(4)}")
        self.bank = net.number("bank", digits(12))
        self.routing = net.number("routing", _routing_number(digits(8)))
        self.passport = net.secret("passport", f"K{digits(8)}Q")


def _routing_number(first: str) -> str:
    """Add the digit that checks the others."""
    total = sum(weight * int(digit) for weight, digit in zip(_ABA, first, strict=True))
    return first + str(-total % 10)
