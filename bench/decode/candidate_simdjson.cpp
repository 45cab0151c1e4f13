// The C shim that lib/json would have needed for simdjson.
#include "candidate.h"

#include <simdjson.h>

int decode_simdjson_dom(const char *data, size_t size, candidate_event *out)
{
    static simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(data, size, false).get(object) != simdjson::SUCCESS) {
        return -1;
    }
    for (auto field : object) {
        std::string_view text;
        double number = 0;
        if (field.value.get(text) == simdjson::SUCCESS) {
            for (const char *name : candidate_texts) {
                out->text_bytes += field.key == name ? text.size() : 0;
            }
        } else if (field.value.get(number) == simdjson::SUCCESS) {
            for (const char *name : candidate_numbers) {
                out->number_sum += field.key == name ? number : 0;
            }
        }
    }
    return 0;
}

int decode_simdjson_on_demand(const char *data, size_t size, candidate_event *out)
{
    static simdjson::ondemand::parser parser;
    simdjson::ondemand::document document;
    simdjson::ondemand::object object;
    if (parser.iterate(data, size, size + simdjson::SIMDJSON_PADDING).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS) {
        return -1;
    }
    for (auto field : object) {
        simdjson::ondemand::raw_json_string key;
        if (field.key().get(key) != simdjson::SUCCESS) {
            return -1;
        }
        bool found = false;
        for (const char *name : candidate_texts) {
            std::string_view text;
            if (!found && key == name && field.value().get_string().get(text) == simdjson::SUCCESS) {
                out->text_bytes += text.size();
                found = true;
            }
        }
        for (const char *name : candidate_numbers) {
            double number = 0;
            if (!found && key == name && field.value().get_double().get(number) == simdjson::SUCCESS) {
                out->number_sum += number;
                found = true;
            }
        }
    }
    return 0;
}
