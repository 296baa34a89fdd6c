// Names, patterns, locations and subscriptions: three lines of text are a pattern, a name and a location; the rest is a
// file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib-mail/modified-utf7.h"
#include "lib-storage/list/folder-layout.h"
#include "lib-storage/list/list-pattern.h"
#include "lib-storage/list/subscriptions.h"
#include "lib-storage/mailbox-name.h"

namespace {
std::string_view take_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace culver;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view pattern = take_line(text), name = take_line(text), location = take_line(text);
    (void)ListPattern(pattern, '/').matches(name);
    (void)MailboxName::parse(name);
    if (const auto decoded = modified_utf7_decode(name)) {
        // Each name has one encoding.
        if (modified_utf7_encode(*decoded) != name) std::abort();
    }
    (void)parse_mail_location(location, "/home/user");
    for (const char* known : {"maildir:/m", "maildir:/m:LAYOUT=fs"}) {
        const auto layout = make_layout(*parse_mail_location(known, ""));
        if (layout->check(name, '/', FolderLayout::Purpose::Use)) {
            const std::string mail = layout->paths(name).mail;
            if (mail.find("/../") != std::string::npos || mail.ends_with("/..")) std::abort();
        }
    }
    const auto names = parse_subscriptions(text, '.');
    if (parse_subscriptions(format_subscriptions(names), '.').size() > names.size()) std::abort();
    return 0;
}
