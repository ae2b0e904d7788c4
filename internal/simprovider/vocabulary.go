package simprovider

import "strings"

// vocabulary is what answers are made of. Each word is one token of o200k_base,
// alone and after any other, because the tokenizer splits before a space: so
// an answer of n words has n tokens under both ways of counting. A tenth of
// them are beyond ASCII, so that a split inside a rune has runes to split.
var vocabulary = strings.Split(strings.ReplaceAll(vocabularyText, "_", " "), "|")

const vocabularyText = "_the|_of|_and|_to|_in|_is|_for|_that|_on|_with|_as|_it|_by|_from|_at|_an|_be|_this|_which|_or|" +
	"_are|_not|_have|_was|_but|_one|_all|_can|_more|_their|_has|_will|_time|_other|_some|_new|_them|_only|_its|_two|" +
	"_first|_work|_data|_water|_city|_light|_house|_river|_stone|_garden|_winter|_summer|_morning|_evening|_letter|_paper|" +
	"_market|_village|_mountain|_forest|_ocean|_window|_table|_story|_music|_number|_question|_answer|_reason|_season|" +
	"_ship|_captain|_harbor|_storm|_island|_coast|_journey|_cargo|_sail|_deck|_crew|_port|_trade|_coin|_ledger|_account|" +
	"_small|_large|_early|_late|_simple|_quiet|_bright|_dark|_green|_blue|_young|_old|_open|_long|_short|_deep|" +
	"_run|_walk|_keep|_find|_give|_tell|_become|_leave|_feel|_bring|_begin|_hold|_write|_stand|_lose|_meet|_build|_spend|" +
	"_für|_más|_être|_это|_世界|_日本|_café|_São|_München|_한국|_مع|_नहीं|_señor|_🙂|_→|_€"

func word(draw uint64) string { return vocabulary[draw%uint64(len(vocabulary))] }
