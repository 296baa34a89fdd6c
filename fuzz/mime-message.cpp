// A message: its structure, every renderer, every section, and a search through its text.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib-imap/body-section.h"
#include "lib-imap/body-structure.h"
#include "lib-imap/envelope.h"
#include "lib-mail/line-endings.h"
#include "lib-mail/message-text.h"
#include "lib-mail/mime-parser.h"

using namespace culver;

namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

// Every part lies within its parent and behind its elder sibling; the sizes with CRLF are those of the bytes.
void check_structure(std::string_view message, const MimeStructure& structure) {
    const auto& parts = structure.parts();
    require(!parts.empty() && parts[0].header_size + parts[0].body_size == message.size());
    for (std::uint32_t i = 0; i < parts.size(); ++i) {
        const MimePart& part = parts[i];
        require(part.body_end() <= message.size());
        if (i > 0) {
            require(part.parent < i && part.header_begin >= parts[part.parent].body_begin());
            require(part.body_end() <= parts[part.parent].body_end());
        }
        const char before = part.body_begin() > 0 ? message[part.body_begin() - 1] : '\0';
        require(part.virtual_body_size() == virtual_size(part.body(message), before));
        require(part.body_lines == line_count(part.body(message)));
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view message(reinterpret_cast<const char*>(data), size);
    const MimeStructure structure = MimeStructure::parse(message, {20, 200, 80});
    check_structure(message, structure);
    std::string out;
    append_envelope(out, message_header(message));
    append_body_structure(out, message, structure, BodyForm::Plain);
    append_body_structure(out, message, structure, BodyForm::Extended);
    BodySection section;
    for (std::uint32_t first = 1; first < 4; ++first) {
        section.part = {first, 1};
        for (const auto what : {BodySection::What::All, BodySection::What::Mime, BodySection::What::Text}) {
            section.what = what;
            require(find_section(structure, section).of(message).size() <= message.size());
        }
    }
    TextSearch("needle").in_message(message, structure, TextSearch::Scope::HeadersAndBody);
    return 0;
}
