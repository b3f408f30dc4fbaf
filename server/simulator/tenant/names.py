# ruff: noqa: RUF001 - names of many scripts are the point of this file
"""Names that real directories hold: many scripts, right-to-left, combining marks, emoji; never a real person's data.

A person's name is a pair: as displayed, and in the Latin letters that a user principal name may hold.
"""

from __future__ import annotations

Name = tuple[str, str]

GIVEN: tuple[Name, ...] = (
    ("Adele", "adele"), ("Alex", "alex"), ("Priya", "priya"), ("Diego", "diego"), ("Lynne", "lynne"),
    ("Joni", "joni"), ("Grady", "grady"), ("Megan", "megan"), ("Miriam", "miriam"), ("Nestor", "nestor"),
    ("Patti", "patti"), ("Pradeep", "pradeep"), ("Lidia", "lidia"), ("Isaiah", "isaiah"), ("Henrietta", "henrietta"),
    ("Emily", "emily"), ("Debra", "debra"), ("Christie", "christie"), ("Cameron", "cameron"), ("Ben", "ben"),
    ("Amara", "amara"), ("Tomás", "tomas"), ("Søren", "soren"), ("Zoë", "zoe"), ("François", "francois"),
    ("Jürgen", "juergen"), ("Łukasz", "lukasz"), ("Şebnem", "sebnem"), ("İpek", "ipek"), ("Ngọc", "ngoc"),
    ("Zoe\u0308", "zoe"), ("Ame\u0301lie", "amelie"), ("Siân", "sian"), ("Þóra", "thora"), ("Niña", "nina"),
    ("Ольга", "olga"), ("Дмитрий", "dmitry"), ("Ελένη", "eleni"), ("Γιώργος", "giorgos"),
    ("محمد", "mohammed"), ("فاطمة", "fatima"), ("שירה", "shira"), ("دانیال", "danial"),
    ("伟", "wei"), ("芳", "fang"), ("さくら", "sakura"), ("太郎", "taro"), ("지훈", "jihun"), ("서연", "seoyeon"),
    ("อรุณ", "arun"), ("प्रिया", "priya"), ("தமிழ்", "tamil"), ("ნინო", "nino"), ("Արամ", "aram"), ("አበበ", "abebe"),
)  # fmt: skip

SURNAME: tuple[Name, ...] = (
    ("Vance", "vance"), ("Wilber", "wilber"), ("Shah", "shah"), ("Garcia", "garcia"), ("Robbins", "robbins"),
    ("Sherman", "sherman"), ("Archie", "archie"), ("Bowen", "bowen"), ("Graham", "graham"), ("Wilke", "wilke"),
    ("Fernandez", "fernandez"), ("Gupta", "gupta"), ("Holloway", "holloway"), ("Langer", "langer"),
    ("Mueller", "mueller"), ("Braun", "braun"), ("Berger", "berger"), ("Cline", "cline"), ("White", "white"),
    ("Okafor", "okafor"), ("O'Neil", "oneil"), ("van der Berg", "vanderberg"), ("Müller-Lüdenscheidt", "mueller"),
    ("Žižka", "zizka"), ("Þorsteinsdóttir", "thorsteinsdottir"), ("Nguyễn", "nguyen"), ("Yılmaz", "yilmaz"),
    ("Łopatka", "lopatka"), ("D’Angelo", "dangelo"), ("Núñez", "nunez"), ("Dvořa\u0301k", "dvorak"),
    ("Иванова", "ivanova"), ("Шевченко", "shevchenko"), ("Παπαδόπουλος", "papadopoulos"),
    ("الخطيب", "alkhatib"), ("حسن", "hassan"), ("כהן", "cohen"), ("王", "wang"), ("李", "li"), ("鈴木", "suzuki"),
    ("김", "kim"), ("박", "park"), ("शर्मा", "sharma"), ("ศรีสุข", "srisuk"), ("ბერიძე", "beridze"),
    ("Պետրոսյան", "petrosyan"), ("በቀለ", "bekele"), ("Smith", "smith"), ("Jones", "jones"), ("Brown", "brown"),
)  # fmt: skip

# Suffixes that people really append to their display names.
SUFFIX: tuple[str, ...] = (" 🌻", " (Contractor)", " 👩🏽‍💻", " \u200f(متدرب)", " – Ops", " [EXT]", " ☕️")

CITY: tuple[tuple[str, str, str, str], ...] = (
    ("Seattle", "United States", "US", "en-US"), ("Austin", "United States", "US", "en-US"),
    ("London", "United Kingdom", "GB", "en-GB"), ("München", "Germany", "DE", "de-DE"),
    ("Zürich", "Switzerland", "CH", "de-CH"), ("Łódź", "Poland", "PL", "pl-PL"), ("Paris", "France", "FR", "fr-FR"),
    ("São Paulo", "Brazil", "BR", "pt-BR"), ("Αθήνα", "Greece", "GR", "el-GR"), ("Київ", "Ukraine", "UA", "uk-UA"),
    ("東京", "Japan", "JP", "ja-JP"), ("서울", "Korea", "KR", "ko-KR"), ("القاهرة", "Egypt", "EG", "ar-EG"),
    ("תל אביב", "Israel", "IL", "he-IL"),
    ("Bengaluru", "India", "IN", "en-IN"), ("Reykjavík", "Iceland", "IS", "is-IS"),
)  # fmt: skip

DEPARTMENT = (
    "Finance", "Engineering", "Sales", "Marketing", "Human Resources", "Legal", "Operations", "IT", "Research",
    "Customer Success", "Einkauf", "R&D", "Área de Calidad",
)  # fmt: skip
JOB = (
    "Analyst", "Engineer", "Senior Engineer", "Manager", "Director", "Account Executive", "Administrator",
    "Consultant", "Technician", "Counsel", "Buyer", "Scientist",
)  # fmt: skip
TOPIC = (
    "Falcon", "Onboarding", "Budget", "Intranet", "Security", "Quality", "Field Service", "Warehouse", "Café",
    "Datenschutz", "研究開発", "Проект Заря", "مشروع", "🚀 Launch", "Payroll", "Printers", "Kiosks", "VPN", "Licences",
)  # fmt: skip
TENANT = ("contoso", "fabrikam", "northwind", "adatum", "litware", "proseware", "tailspin", "wingtip", "woodgrove")
