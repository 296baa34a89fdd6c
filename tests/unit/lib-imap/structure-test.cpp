// ENVELOPE, BODY and BODYSTRUCTURE of the odd messages in tests/unit/lib-mail/corpus. What is expected was compared
// with Dovecot's answers byte for byte (tests/protocol/structure-compare.py); CULVER_UPDATE_GOLDEN=1 writes it anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "lib-imap/body-section.h"
#include "lib-imap/body-structure.h"
#include "lib-imap/envelope.h"
#include "lib-imap/parser.h"
#include "lib-mail/line-endings.h"

using namespace culver;
namespace fs = std::filesystem;

namespace {

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string describe(std::string_view message) {
    const MimeStructure structure = MimeStructure::parse(message);
    std::string out = "ENVELOPE ";
    append_envelope(out, message_header(message));
    out += "\nBODY ";
    append_body_structure(out, message, structure, BodyForm::Plain);
    out += "\nBODYSTRUCTURE ";
    append_body_structure(out, message, structure, BodyForm::Extended);
    return out + "\n";
}

std::string section(std::string_view message, std::string_view arguments) {
    Parser in(arguments);
    const BodySection wanted = parse_body_section(in, "BODY");
    if (!in.ok()) return "error: " + in.error().text;
    const SectionRange range = find_section(MimeStructure::parse(message), wanted);
    const bool filtered =
        wanted.what == BodySection::What::HeaderFields || wanted.what == BodySection::What::HeaderFieldsNot;
    return wanted.label + " " + (filtered ? filter_header(range.of(message), wanted) : std::string(range.of(message)));
}

}  // namespace

TEST(Structure, OfOddMessagesIsThatOfDovecot) {
    const fs::path here = fs::path(__FILE__).parent_path();
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(here / "../lib-mail/corpus")) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    ASSERT_GE(files.size(), 60u);
    std::string all;
    for (const fs::path& file : files) all += "== " + file.filename().string() + "\n" + describe(contents(file));
    const fs::path golden = here / "structures.golden";
    if (std::getenv("CULVER_UPDATE_GOLDEN")) std::ofstream(golden, std::ios::binary) << all;
    const std::string expected = contents(golden);
    if (all == expected) return;
    const auto difference = std::mismatch(all.begin(), all.end(), expected.begin(), expected.end());
    const auto at = static_cast<std::size_t>(difference.first - all.begin());
    const std::size_t name = all.rfind("== ", at);
    FAIL() << all.substr(name, 60) << "\n now  " << all.substr(at, 100) << "\n then " << expected.substr(at, 100);
}

// Sizes must not depend on how lines end in the file.
TEST(Structure, IsTheSameForLfAndCrlf) {
    for (const auto& entry : fs::directory_iterator(fs::path(__FILE__).parent_path() / "../lib-mail/corpus")) {
        const std::string message = contents(entry.path());
        if (message.find('\r') != std::string::npos) continue;
        EXPECT_EQ(describe(message), describe(to_crlf(message))) << entry.path();
    }
}

TEST(Section, NamesPartsByDovecotsRules) {
    const std::string message =
        "Subject: o\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX: 1\n\none\n--b\nContent-Type: message/rfc822\n\n"
        "Subject: i\nTo: x\n\ninner\n--b--\n";
    const std::pair<const char*, const char*> cases[] = {
        {"BODY[1]", "BODY[1] one"},
        {"BODY[1.1]", "BODY[1.1] one"},
        {"BODY[1.1.1]", "BODY[1.1.1] "},
        {"BODY[1.mime]", "BODY[1.MIME] X: 1\n\n"},
        {"BODY[2.HEADER]", "BODY[2.HEADER] Subject: i\nTo: x\n\n"},
        {"BODY[2.TEXT]", "BODY[2.TEXT] inner"},
        {"BODY[2.1]", "BODY[2.1] inner"},
        {"BODY[2.1.1]", "BODY[2.1.1] "},
        {"BODY[3]", "BODY[3] "},
        {"BODY[2.HEADER.FIELDS (to \"a b\")]<0.9>", "BODY[2.HEADER.FIELDS (TO \"A B\")]<0> To: x\n\r\n"},
        {"BODY[HEADER.FIELDS.NOT (Subject)]",
         "BODY[HEADER.FIELDS.NOT (SUBJECT)] Content-Type: multipart/mixed; boundary=b\n\n"},
        {"BODY[MIME]", "error: Invalid BODY[..] section"},
        {"BODY[1.]", "error: Invalid BODY[..] section"},
        {"BODY[FOO]", "error: Invalid BODY[..] section"},
        {"BODY[", "error: Invalid BODY[..] parameter: Missing ']'"},
        {"BODY[]x", "error: Invalid BODY[..] parameter: Unexpected data after ']'"},
        {"BODY[]<0.5", "error: Invalid BODY[..] parameter: Missing '>' in partial"},
        {"BODY[]<99999999999999999999.5>", "error: Invalid BODY[..] parameter: Too big partial start"},
        {"BODY[HEADER.FIELDS ()]", "error: Invalid BODY[..] section"},
        {"BODY[4294967296]", "error: Invalid BODY[..] section"},
    };
    for (const auto& [arguments, result] : cases) EXPECT_EQ(section(message, arguments), result) << arguments;
}
