"""Household, pets, babies and care: a shopper's words, and the types that answer them.

Types are separated by "; ". See features/datasets/grocery/judging.py for how they are matched.
"""

HOUSEHOLD: dict[str, str] = {
    # paper, foil and bags
    "toilet paper": "Toilet Tissue",
    "paper towels": "Paper Towels & Holders",
    "facial tissue": "Facial Tissue",
    "napkins": "Paper Napkins",
    "paper plates": "Basic Paper Plates; Designer Paper, Medium Weight; "
    "Plastic & Heavy Paper Premium Plate",
    "plastic cups": "Plastic Cups",
    "trash bags": "Plastic Trash Bags; Kitchen Garbage Bags; Lawn & Leaf Bags",
    "garbage bags": "Plastic Trash Bags; Kitchen Garbage Bags; Lawn & Leaf Bags",
    "aluminum foil": "Aluminum Foil",
    "plastic wrap": "Plastic Wrap",
    "freezer bags": "Freezer Bags",
    "sandwich bags": "Sandwich Bags",
    "coffee filters": "Coffee Filters",
    # cleaning
    "dish soap": "Liquid Dish Detergent",
    "dishwasher detergent": "Auto Dish Detergent*; Automatic Dishwasher Detergent",
    "laundry detergent": "Laundry Detergents",
    "fabric softener": "Fabric Softener*",
    "dryer sheets": "Fabric Softener Sheets",
    "bleach": "Liquid Bleach; Fabric Liquid Bleach",
    "stain remover": "Soil & Stain Remover",
    "toilet bowl cleaner": "Toilet Bowl*",
    "glass cleaner": "Glass Cleaners",
    "bathroom cleaner": "Bathroom Cleaners*",
    "drain cleaner": "Drain Care",
    "cleaning wipes": "Cleaning Wipes",
    "air freshener": "Air Care",
    "sponges": "Sponges*",
    "light bulbs": "*Bulbs",
    "batteries": "Alkaline Batteries",
    "charcoal": "Charcoal",
    # pets
    "cat food": "Cat Food; !Cat Treats",
    "dry cat food": "*Dry Cat Food",
    "dog food": "Dog Food; !Dog Treats; !Dog Biscuits",
    "canned dog food": "*Canned Dog Food",
    "dog treats": "Dog Treats; Dog Biscuits; Rawhide Chews",
    "cat litter": "Cat Litter; !Litter Accessories",
    # babies
    "diapers": "Baby Diapers",
    "baby wipes": "Baby Wipes",
    "baby food": "Baby Foods; !Baby Juices; !Baby Spring Waters",
    "baby formula": "Infant Formula",
    # care and health
    "shampoo": "Shampoo",
    "toothpaste": "Toothpaste",
    "toothbrush": "Oral Hygiene Brushes",
    "mouthwash": "Mouthwash*",
    "deodorant": "Deodorants",
    "razors": "Razors and Blades",
    "body wash": "Body Wash",
    "bar soap": "Bar Soap",
    "hand soap": "Liquid Soap",
    "soap": "Soap, Liquid & Bar",
    "tampons": "Fem Hygn Tampons",
    "cotton swabs": "Cotton Cotton Swabs",
    "cough drops": "Cough Drops & Syrup",
    "pain reliever": "Adult Analgesics",
    "antacid": "Anti-acids",
    "lip balm": "Lipcare",
    # others
    "greeting cards": "Cards Everyday; Cards Seasonal",
    "magazines": "Magazine",
    "newspaper": "Newspaper",
    "cigarettes": "Cigarettes",
}
