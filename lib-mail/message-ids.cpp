#include "lib-mail/message-ids.h"

#include "lib-mail/rfc822-reader.h"

namespace culver {

namespace {

using Step = Rfc822Reader::Step;

// At "<": the id up to ">". Empty if it is none; the reader stands behind what was looked at.
std::string read_id(Rfc822Reader& reader) {
    reader.advance();
    if (reader.skip_blanks() != Step::More) return {};
    std::string id;
    const Step local = reader.next_is('"') ? reader.quoted_string(id) : reader.dot_atom(id);
    if (local != Step::More || !reader.next_is('@')) return {};
    id += '@';
    if (reader.domain(id) != Step::More || !reader.next_is('>')) return {};
    return id;
}

}  // namespace

std::vector<std::string> message_ids(std::string_view value) {
    std::vector<std::string> ids;
    Rfc822Reader reader(value);
    while (ids.size() < kReferenceLimit && reader.skip_blanks() == Step::More) {
        if (!reader.next_is('<')) {
            reader.advance();
            continue;
        }
        if (std::string id = read_id(reader); !id.empty()) ids.push_back(std::move(id));
    }
    return ids;
}

}  // namespace culver
