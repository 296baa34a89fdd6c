// JSON as web services speak it: the members of an answer's object, flat and bounded; and text quoted for a request.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"

namespace culver {

struct JsonMember {
    enum class Kind { String, Number, Boolean, Null, List, Object };
    std::string name;
    Kind kind = Kind::Null;
    std::string text;                // of a string, number ("5"), boolean ("true"); a list: its items joined by blanks
    std::vector<std::string> items;  // of a list: its strings and numbers
};

// The members of one JSON object in their order. Objects inside it are read over, lists inside lists too.
class JsonObject {
public:
    enum class Duplicates { LastWins, Refused };
    // Corrupt: not an object, not UTF-8, nested deeper than 16, more than 200 members, a list of more than 100 items,
    // a NUL in a string, more than 64 KiB. No recursion, no exceptions.
    static Result<JsonObject> parse(std::string_view text, Duplicates duplicates);

    // Null if it is not there; valid until the next merge.
    const JsonMember* find(std::string_view name) const;
    // The text of a string; nothing (empty) for any other kind and for a missing one.
    std::string_view string(std::string_view name) const;
    // Puts the members of another object over these.
    void merge(JsonObject other);
    const std::vector<JsonMember>& members() const { return members_; }

    static constexpr std::size_t kTextLimit = 64 * 1024;

private:
    std::vector<JsonMember> members_;
    friend class JsonReader;
};

// "text" with its quotes. What is not UTF-8 becomes U+FFFD, control bytes are escaped.
std::string json_quote(std::string_view text);

}  // namespace culver
