"""The most common licences: the id of a product (SKU) → its part number and its name.

Microsoft Graph gives only the id with a user. A search finds a product that is missing here by its id.

Source: Microsoft, "Product names and service plan identifiers for licensing"
(https://learn.microsoft.com/entra/identity/users/licensing-service-plan-reference), as of 29 October 2025.
To add a product, copy its string id, its GUID and its name from there.
"""

from __future__ import annotations

from collections.abc import Mapping

_PRODUCTS = """
05e9a617-0261-4cee-bb44-138d3ef5d965 SPE_E3 Microsoft 365 E3
06ebc4ee-1bb5-47dd-8120-11324bc54e06 SPE_E5 Microsoft 365 E5
44575883-256e-4a79-9da4-ebe9acabe2b2 M365_F1 Microsoft 365 F1
66b55226-6b4f-492c-910c-a3b7a3c9d993 SPE_F1 Microsoft 365 F3
184efa21-98c3-4e5d-95ab-d07053a96e67 INFORMATION_PROTECTION_COMPLIANCE Microsoft 365 E5 Compliance
26124093-3d78-432b-b5dc-48bf992543d5 IDENTITY_THREAT_PROTECTION Microsoft Defender Suite
c42b9cae-ea4f-4ab7-9717-81576235ccac DEVELOPERPACK_E5 Microsoft 365 E5 Developer (without Windows and Audio Conferencing)
639dec6b-bb19-468b-871c-c5c441c4b0cb Microsoft_365_Copilot Copilot for Microsoft 365
3b555118-da6a-4418-894f-7df1e2096870 O365_BUSINESS_ESSENTIALS Microsoft 365 Business Basic
f245ecc8-75af-4f8e-b61f-27d8114de5f3 O365_BUSINESS_PREMIUM Microsoft 365 Business Standard
cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46 SPB Microsoft 365 Business Premium
cdd28e44-67e3-425e-be4c-737fab2899d3 O365_BUSINESS Microsoft 365 Apps for Business
c2273bd0-dff7-4215-9ef5-2c7bcfb06425 OFFICESUBSCRIPTION Microsoft 365 Apps for enterprise
18181a46-0d4e-45cd-891e-60aabd171b4e STANDARDPACK Office 365 E1
6fd2c87f-b296-42f0-b197-1e91e994b900 ENTERPRISEPACK Office 365 E3
c7df2760-2c81-4ef7-b578-5b5392b571df ENTERPRISEPREMIUM Office 365 E5
4b585984-651b-448a-9e53-3b10f069cf7f DESKLESSPACK Office 365 F3
4b9405b0-7788-4568-add1-99614e613b69 EXCHANGESTANDARD Exchange Online (Plan 1)
19ec0d23-8335-4cbd-94ac-6050e30712fa EXCHANGEENTERPRISE Exchange Online (Plan 2)
80b2d799-d2ba-4d2a-8842-fb0d0f3a4b82 EXCHANGEDESKLESS Exchange Online Kiosk
1fc08a02-8b3d-43b9-831e-f76859e04e1a SHAREPOINTSTANDARD SharePoint Online (Plan 1)
a9732ec9-17d9-494c-a51c-d6b45b384dcb SHAREPOINTENTERPRISE SharePoint Online (Plan 2)
efccb6f7-5641-4e0e-bd10-b4976e1bf68e EMS Enterprise Mobility + Security E3
b05e124f-c7cc-45a0-a6aa-8cf78c946968 EMSPREMIUM Enterprise Mobility + Security E5
2b9c8e7c-319c-43a2-a2a0-48c5c6161de7 AAD_BASIC Microsoft Entra Basic
078d2b04-f1bd-4111-bbd4-b4b1b354cef4 AAD_PREMIUM Microsoft Entra ID P1
84a661c4-e949-4bd2-a560-ed7766fcaf2b AAD_PREMIUM_P2 Microsoft Entra ID P2
061f9ace-7d42-4136-88ac-31dc755f143f INTUNE_A Intune
c52ea49f-fe5d-4e95-93ba-1de91d380f89 RIGHTSMANAGEMENT Azure Information Protection Plan 1
111046dd-295b-4d6d-9724-d52ac90bd1f2 WIN_DEF_ATP Microsoft Defender for Endpoint
4ef96642-f096-40de-a3e9-d83fb2f90211 ATP_ENTERPRISE Microsoft Defender for Office 365 (Plan 1)
3dd6cf57-d688-4eed-ba52-9e40b5468c3e THREAT_INTELLIGENCE Microsoft Defender for Office 365 (Plan 2)
a403ebcc-fae0-4ca2-8c8c-7a907fd6c235 POWER_BI_STANDARD Microsoft Fabric (Free)
f8a1db68-be16-40ed-86d5-cb42ce701560 POWER_BI_PRO Power BI Pro
f30db892-07e9-47e9-837c-80727f46fd3d FLOW_FREE Microsoft Power Automate Free
e43b5b99-8dfb-405f-9987-dc307f34bcbd MCOEV Microsoft Teams Phone Standard
0c266dff-15dd-4b49-8397-2bb16070ed52 MCOMEETADV Microsoft 365 Audio Conferencing
4cde982a-ede4-4409-9ae6-b003453c8ea6 Microsoft_Teams_Rooms_Pro Microsoft Teams Rooms Pro
710779e8-3d4a-4c88-adb9-386c958d1fdf TEAMS_EXPLORATORY Microsoft Teams Exploratory
c5928f49-12ba-48f7-ada3-0d743a3601d5 VISIOCLIENT Visio Plan 2
53818b1b-4a27-454b-8896-0dba576410e6 PROJECTPROFESSIONAL Planner and Project Plan 3
"""  # noqa: E501 - long product names
# SKU id → part number, name.
LICENCES: Mapping[str, tuple[str, str]] = {
    sku: (part, name) for sku, part, name in (line.split(" ", 2) for line in _PRODUCTS.strip().splitlines())
}
