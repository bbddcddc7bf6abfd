"""The words of the simulated shop: its category tree, colours, materials, styles and brands.

Every name is invented or generic; a brand that exists would be a coincidence.
"""

# department > group > (type, query synonym, usual price in USD, materials); the synonym is a word
# that shoppers type and titles do not have, so that matching words alone cannot find everything.
TREE: dict[str, dict[str, list[tuple[str, str, float, str]]]] = {
    "Fashion": {
        "Shoes": [
            ("Running Shoes", "trainers", 85, "Mesh Knit"),
            ("Ankle Boots", "booties", 110, "Leather Suede"),
            ("Sandals", "slides", 42, "Leather Canvas"),
        ],
        "Tops": [
            ("T-Shirt", "tee", 19, "Cotton Linen"),
            ("Sweater", "jumper", 54, "Wool Cotton"),
            ("Hoodie", "sweatshirt", 48, "Cotton Fleece"),
        ],
        "Outerwear": [
            ("Rain Jacket", "waterproof coat", 95, "Nylon Recycled"),
            ("Parka", "winter coat", 160, "Down Nylon"),
        ],
        "Bags": [
            ("Backpack", "rucksack", 68, "Canvas Leather Nylon"),
            ("Tote Bag", "shopper", 38, "Canvas Leather"),
        ],
    },
    "Electronics": {
        "Audio": [
            ("Wireless Headphones", "bluetooth headset", 120, "Aluminium Plastic"),
            ("Earbuds", "in ear headphones", 70, "Plastic Silicone"),
            ("Portable Speaker", "bluetooth boombox", 60, "Plastic Fabric"),
        ],
        "Computing": [
            ("Mechanical Keyboard", "gaming keys", 95, "Aluminium Plastic"),
            ("Wireless Mouse", "cordless mice", 35, "Plastic Aluminium"),
            ("Laptop Stand", "notebook riser", 40, "Aluminium Wood"),
        ],
        "Phone Accessories": [
            ("Phone Case", "mobile cover", 22, "Silicone Leather Plastic"),
            ("Power Bank", "portable charger", 38, "Aluminium Plastic"),
        ],
    },
    "Home": {
        "Kitchen": [
            ("Frying Pan", "skillet", 45, "Steel Ceramic"),
            ("Coffee Mug", "cup", 14, "Ceramic Glass"),
            ("Chef Knife", "cooks blade", 60, "Steel Ceramic"),
            ("Storage Jar", "canister", 16, "Glass Ceramic"),
        ],
        "Bedding": [
            ("Duvet Cover", "quilt set", 70, "Cotton Linen"),
            ("Throw Blanket", "plaid", 46, "Wool Fleece Cotton"),
            ("Pillow", "cushion", 30, "Down Cotton"),
        ],
        "Lighting": [
            ("Desk Lamp", "reading light", 48, "Aluminium Wood"),
            ("Floor Lamp", "standing light", 110, "Steel Wood"),
        ],
        "Decor": [
            ("Wall Clock", "timepiece", 36, "Wood Steel"),
            ("Vase", "flower pot", 28, "Ceramic Glass"),
        ],
    },
    "Sports": {
        "Fitness": [
            ("Yoga Mat", "exercise mat", 36, "Rubber Cork"),
            ("Dumbbell Set", "weights", 65, "Steel Rubber"),
            ("Resistance Bands", "stretch loops", 20, "Rubber Fabric"),
        ],
        "Camping": [
            ("Tent", "shelter", 180, "Nylon Canvas"),
            ("Sleeping Bag", "camp bed", 95, "Down Nylon"),
            ("Camping Lantern", "outdoor light", 32, "Aluminium Plastic"),
        ],
        "Cycling": [
            ("Bike Helmet", "cycle hat", 62, "Plastic Carbon"),
            ("Water Bottle", "flask", 18, "Steel Plastic"),
        ],
    },
    "Beauty": {
        "Skin Care": [
            ("Face Cream", "moisturizer", 32, "Aloe Shea"),
            ("Sunscreen", "sun lotion", 22, "Mineral Aloe"),
            ("Body Lotion", "skin milk", 18, "Shea Aloe"),
        ],
        "Hair Care": [
            ("Shampoo", "hair wash", 15, "Argan Aloe"),
            ("Hair Brush", "comb", 20, "Bamboo Plastic"),
        ],
        "Makeup": [
            ("Lipstick", "lip color", 19, "Matte Satin"),
            ("Nail Polish", "varnish", 11, "Matte Satin"),
        ],
    },
    "Toys": {
        "Building": [
            ("Building Blocks", "bricks", 34, "Wood Plastic"),
            ("Marble Run", "ball track", 42, "Wood Plastic"),
        ],
        "Plush": [
            ("Teddy Bear", "stuffed animal", 24, "Plush Cotton"),
            ("Plush Dinosaur", "soft dino", 22, "Plush Cotton"),
        ],
        "Puzzles": [
            ("Jigsaw Puzzle", "picture game", 20, "Cardboard Wood"),
            ("Brain Teaser", "logic game", 17, "Wood Steel"),
        ],
    },
}
COLOURS = (
    "Black", "White", "Grey", "Navy", "Blue", "Red", "Green", "Olive", "Pink", "Beige", "Yellow",
    "Purple",
)  # fmt: skip
STYLES = ("Classic", "Minimal", "Sport", "Vintage", "Everyday", "Studio", "Compact", "Bold")
# Said in the description: what a shopper who likes the style would recognise.
STYLE_TEXT = {
    "Classic": "A timeless shape that goes with everything.",
    "Minimal": "Clean lines and nothing that is not needed.",
    "Sport": "Light and quick, made for moving.",
    "Vintage": "A look borrowed from the seventies.",
    "Everyday": "Made to be used every single day.",
    "Studio": "Designed with makers and creators in mind.",
    "Compact": "Small enough to take anywhere.",
    "Bold": "Strong shapes for people who like to be seen.",
}
LINES = (
    "Arlo", "Brisk", "Cove", "Delta", "Ember", "Fjord", "Glide", "Harbor", "Isla", "Juno", "Kite",
    "Lumen", "Mira", "Nomad", "Orbit", "Pine", "Quill", "Ridge", "Sol", "Tidal", "Umber", "Vale",
    "Willow", "Zephyr",
)  # fmt: skip
# Ten brands a department, in three price tiers.
BRANDS: dict[str, tuple[str, ...]] = {
    "Fashion": ("Norvane", "Halden Row", "Tessaly", "Brookmere", "Oakline", "Veltra", "Pomela",
                "Strada Nine", "Lowtide", "Basiq"),
    "Electronics": ("Auralis", "Kestrio", "Voltane", "Pixeum", "Nexbay", "Orvion", "Tonalia",
                    "Circuitry Co", "Plugsworth", "Ampo"),
    "Home": ("Hearthwell", "Lindero", "Casaline", "Mossgrove", "Fernhill", "Ovenbird", "Nestory",
             "Plainware", "Tablefolk", "Domi"),
    "Sports": ("Summitra", "Trailborn", "Kinetiq", "Rapidfell", "Ascendo", "Ironpath", "Flexora",
               "Campway", "Velopeak", "Acto"),
    "Beauty": ("Lumessa", "Petalune", "Dermova", "Sereni", "Olivane", "Glowmere", "Botanique",
               "Purelle", "Softleaf", "Nuvi"),
    "Toys": ("Tinkerwood", "Wonderly", "Plumkin", "Bricko", "Marvelo", "Cuddlewick", "Puzzlo",
             "Playnest", "Jollybox", "Kiddo"),
}  # fmt: skip
