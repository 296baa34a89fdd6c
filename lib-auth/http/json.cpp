#include "lib-auth/http/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kDepthLimit = 16, kMemberLimit = 200, kItemLimit = 100, kNameLimit = 256;
}

// Takes nlohmann's events. Every method returns false to end the parse; `problem` then says why.
class JsonReader : public nlohmann::json_sax<nlohmann::json> {
public:
    JsonReader(JsonObject& out, JsonObject::Duplicates duplicates) : out_(out), duplicates_(duplicates) {}

    bool null() override { return take(JsonMember::Kind::Null, {}); }
    bool boolean(bool value) override { return take(JsonMember::Kind::Boolean, value ? "true" : "false"); }
    bool number_integer(number_integer_t value) override {
        return take(JsonMember::Kind::Number, fmt::format("{}", value));
    }
    bool number_unsigned(number_unsigned_t value) override {
        return take(JsonMember::Kind::Number, fmt::format("{}", value));
    }
    bool number_float(number_float_t, const string_t& text) override { return take(JsonMember::Kind::Number, text); }
    bool string(string_t& value) override { return take(JsonMember::Kind::String, value); }
    bool binary(binary_t&) override { return complain("binary data"); }

    bool start_object(std::size_t) override {
        if (depth_ == 1 && !begin(JsonMember::Kind::Object)) return false;
        return ++depth_ <= kDepthLimit || complain("nested too deeply");
    }
    bool key(string_t& name) override {
        if (depth_ != 1) return true;
        if (name.size() > kNameLimit || name.find('\0') != name.npos) return complain("a name that cannot be one");
        name_ = name;
        return true;
    }
    bool end_object() override {
        --depth_;
        return true;
    }
    bool start_array(std::size_t) override {
        if (depth_ == 0) return complain("it is no object");
        if (depth_ == 1 && !begin(JsonMember::Kind::List)) return false;
        in_list_ = depth_ == 1;
        return ++depth_ <= kDepthLimit || complain("nested too deeply");
    }
    bool end_array() override {
        if (--depth_ == 1) in_list_ = false;
        return true;
    }
    bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
        return complain(fmt::format("broken at byte {}", position));
    }

    std::string problem;

private:
    bool complain(std::string why) {
        if (problem.empty()) problem = std::move(why);
        return false;
    }

    // A member of the outermost object.
    bool begin(JsonMember::Kind kind) {
        auto same = std::find_if(out_.members_.begin(), out_.members_.end(),
                                 [this](const JsonMember& member) { return member.name == name_; });
        if (same != out_.members_.end()) {
            if (duplicates_ == JsonObject::Duplicates::Refused) return complain("a member that is there twice");
            out_.members_.erase(same);
        }
        if (out_.members_.size() >= kMemberLimit) return complain("too many members");
        out_.members_.push_back({name_, kind, {}, {}});
        return true;
    }

    bool take(JsonMember::Kind kind, std::string_view text) {
        if (depth_ == 0) return complain("it is no object");
        if (text.find('\0') != text.npos) return complain("a NUL in a string");
        if (depth_ == 1) {
            if (!begin(kind)) return false;
            out_.members_.back().text = text;
        } else if (depth_ == 2 && in_list_) {
            JsonMember& list = out_.members_.back();
            if (list.items.size() >= kItemLimit) return complain("a list of too many items");
            if (!list.text.empty()) list.text += ' ';
            list.text += text;
            list.items.emplace_back(text);
        }
        return true;
    }

    JsonObject& out_;
    const JsonObject::Duplicates duplicates_;
    std::string name_;
    std::size_t depth_ = 0;
    bool in_list_ = false;
};

Result<JsonObject> JsonObject::parse(std::string_view text, Duplicates duplicates) {
    JsonObject object;
    if (text.size() > kTextLimit) return fail(ErrorCode::Corrupt, "JSON: longer than 64 KiB");
    JsonReader reader(object, duplicates);
    bool complete = nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
    if (!complete) return fail(ErrorCode::Corrupt, "JSON: " + reader.problem);
    return object;
}

const JsonMember* JsonObject::find(std::string_view name) const {
    auto it = std::find_if(members_.begin(), members_.end(), [&](const auto& member) { return member.name == name; });
    return it == members_.end() ? nullptr : &*it;
}

std::string_view JsonObject::string(std::string_view name) const {
    const JsonMember* member = find(name);
    return member && member->kind == JsonMember::Kind::String ? std::string_view(member->text) : std::string_view();
}

void JsonObject::merge(JsonObject other) {
    for (JsonMember& member : other.members_) {
        auto same = std::find_if(members_.begin(), members_.end(),
                                 [&](const JsonMember& known) { return known.name == member.name; });
        if (same != members_.end()) *same = std::move(member);
        else members_.push_back(std::move(member));
    }
}

std::string json_quote(std::string_view text) {
    std::string out = "\"";
    for (std::size_t i = 0; i < text.size();) {
        auto c = static_cast<unsigned char>(text[i]);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += static_cast<char>(c);
            ++i;
        } else if (std::size_t letter = std::string_view("\b\f\n\r\t").find(text[i]);
                   letter != std::string_view::npos) {
            out += '\\';
            out += "bfnrt"[letter];
            ++i;
        } else if (c < 0x20 || c == 0x7f) {
            out += fmt::format("\\u{:04x}", c);
            ++i;
        } else if (c < 0x80) {
            out += static_cast<char>(c);
            ++i;
        } else {
            std::size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            if (c >= 0xc2 && length <= text.size() - i && is_valid_utf8(text.substr(i, length))) {
                out += text.substr(i, length);
                i += length;
            } else {
                out += "\xef\xbf\xbd";
                ++i;
            }
        }
    }
    return out + '"';
}

}  // namespace culver
