// The arguments of IMAP commands, and everything that reads them: FETCH and SEARCH have the richest grammars.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "imapd/commands/fetch-request.h"
#include "imapd/commands/search-parser.h"
#include "lib-imap/command-scanner.h"
#include "lib-imap/list-pattern.h"
#include "lib-imap/parser.h"
#include "lib-mail/modified-utf7.h"

using namespace culver;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 65536) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    split_command(text);
    {
        Parser in(text);
        parse_fetch(in, size % 2 == 0);
    }
    {
        Parser in(text);
        SearchArguments arguments = parse_search(in);
        if (in.ok()) resolve_sets(arguments.query.root, 7, 9);
    }
    {
        Parser in(text);
        in.flags();
        in.end();
    }
    if (const auto name = modified_utf7_decode(text))
        if (modified_utf7_encode(*name) != text) std::abort();  // one spelling only
    match_list_pattern(text.substr(0, size / 2), text.substr(size / 2, 1000), '/');
    CommandScanner scanner({1000, 1000, 3000});
    for (std::size_t at = 0; at <= size; at += 1 + size / 16)
        if (scanner.scan(text.substr(0, at)).kind == ScanResult::Kind::NeedLiteral) scanner.accept_literal();
    return 0;
}
