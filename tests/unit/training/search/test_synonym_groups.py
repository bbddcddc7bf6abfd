"""From published dictionaries to groups of words that mean the same."""

from serving.training.data.synonym_groups import of_cedict, of_ejdict, of_sudachi, usable


def test_sudachi_words_of_one_number_are_a_group_without_those_taken_out_or_rude() -> None:
    lines = [
        "000001,1,0,1,0,0,0,(ファッション),レインコート,,",
        "000001,1,0,2,0,0,0,(ファッション),雨合羽,,",
        "000001,1,2,3,0,0,0,(),雨外套,,",
        "000001,1,0,4,0,0,0,(不快),あほう,,",
        "",
        "000002,1,0,1,0,0,0,(),ルック,,",
    ]
    assert list(of_sudachi(lines)) == [{"レインコート", "雨合羽"}, {"ルック"}]


def test_ejdict_words_for_one_sense_are_a_group() -> None:
    lines = ["screwdriver\tねじ回し,ドライバー / 〈C〉『カクテル』(の一種)", "pyjamas\t=pajamas"]
    assert list(of_ejdict(lines)) == [{"ねじ回し", "ドライバー"}, {"カクテル"}]


def test_cedict_words_of_one_gloss_are_a_group_without_names_and_measure_words() -> None:
    lines = [
        "# CC-CEDICT",
        "改錐 改锥 [gai3 zhui1] /screwdriver/CL:把[ba3]/",
        "螺絲刀 螺丝刀 [luo2 si1 dao1] /(a) screwdriver/CL:把[ba3]/",
        "北京 北京 [Bei3 jing1] /screwdriver/",
    ]
    assert list(of_cedict(lines)) == [{"改锥", "螺丝刀"}]


def test_single_characters_long_phrases_and_crowds_are_no_synonyms() -> None:
    crowd = {f"言葉{n}" for n in range(9)}
    groups = [
        {"茶", "お茶", "紅茶"},
        {"ＰＣ", "パソコン"},
        {"茶", "紅茶"},
        {"あ" * 17, "ああ"},
        crowd,
    ]
    assert usable(groups, most=8) == {("お茶", "紅茶"), ("pc", "パソコン")}
