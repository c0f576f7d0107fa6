"""The words that the broker's account model knows; its own additions are taken over here."""

from typing import Final

# Source: Alpaca's Broker API, account model (the enums of alpaca-py 0.44).
TAX_ID_TYPES: Final = (
    "USA_SSN", "USA_ITIN", "ARG_AR_CUIT", "AUS_TFN", "AUS_ABN", "BOL_NIT", "BRA_CPF", "CHL_RUT",
    "COL_NIT", "CRI_NITE", "DEU_TAX_ID", "DOM_RNC", "ECU_RUC", "FRA_SPI", "GBR_UTR", "GBR_NINO",
    "GTM_NIT", "HND_RTN", "HUN_TIN", "IDN_KTP", "IND_PAN", "ISR_TAX_ID", "ITA_TAX_ID",
    "JPN_TAX_ID", "MEX_RFC", "NIC_RUC", "NLD_TIN", "PAN_RUC", "PER_RUC", "PRY_RUC", "SGP_NRIC",
    "SGP_FIN", "SGP_ASGD", "SGP_ITR", "SLV_NIT", "SWE_TAX_ID", "URY_RUT", "VEN_RIF",
    "NATIONAL_ID", "PASSPORT", "PERMANENT_RESIDENT", "DRIVER_LICENSE", "OTHER_GOV_ID",
    "NOT_SPECIFIED",
)  # fmt: skip
FUNDING_SOURCES: Final = (
    "employment_income",
    "investments",
    "inheritance",
    "business_income",
    "savings",
    "family",
)
AGREEMENTS: Final = (
    "account_agreement",
    "crypto_agreement",
    "custodial_customer_agreement",
    "customer_agreement",
    "margin_agreement",
    "options_agreement",
)
EMPLOYMENT: Final = ("EMPLOYED", "UNEMPLOYED", "STUDENT", "RETIRED")
VISAS: Final = (
    "B1", "B2", "DACA", "E1", "E2", "E3", "F1", "G4", "H1B", "J1", "L1", "O1", "TN1", "OTHER",
)  # fmt: skip
# Whoever visits has to say when they leave.
VISITOR_VISAS: Final = frozenset({"B1", "B2"})
DISCLOSURE_CONTEXTS: Final = ("AFFILIATE_FIRM", "CONTROLLED_FIRM", "IMMEDIATE_FAMILY_EXPOSED")
ACCOUNT_TYPES: Final = ("trading", "custodial", "donor_advised", "ira", "hsa")
ACCOUNT_SUB_TYPES: Final = ("traditional", "roth")
ASSET_CLASSES: Final = ("us_equity", "us_option", "crypto")

# What a customer may hand in, and how.
DOCUMENT_TYPES: Final = (
    "identity_verification",
    "address_verification",
    "date_of_birth_verification",
    "tax_id_verification",
    "social_security_number_verification",
    "account_approval_letter",
    "limited_trading_authorization",
    "w8ben",
    "cip_result",
    "other",
)
MIME_TYPES: Final = ("application/pdf", "image/png", "image/jpeg", "application/json")
STATEMENT_TYPES: Final = (
    "account_statement",
    "trade_confirmation",
    "trade_confirmation_json",
    "tax_statement",
    "account_application",
    "tax_1099_b_details",
    "tax_1099_b_form",
    "tax_1099_div_details",
    "tax_1099_div_form",
    "tax_1099_int_details",
    "tax_1099_int_form",
    "tax_w8",
)
