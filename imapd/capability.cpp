#include "imapd/capability.h"

#include <algorithm>

#include "imapd/append-limit.h"

namespace culver {
namespace {

// Only what is complete stands here.
constexpr const char* kCapability =
    "IMAP4rev1 SASL-IR ID ENABLE IDLE MULTIAPPEND UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED "
    "CONDSTORE ESEARCH WITHIN LIST-STATUS MOVE STATUS=SIZE";

bool has_special_use(const Settings& settings) {
    return std::ranges::any_of(settings.namespaces(), [](const NamespaceSettings& space) {
        return std::ranges::any_of(space.mailboxes,
                                   [](const MailboxSettings& box) { return !box.special_use.empty(); });
    });
}

}  // namespace

std::string capability_text(const Settings& settings) {
    const std::string& configured = settings.string("imap_capability");
    if (!configured.empty() && configured[0] != '+') return configured;
    std::string text = kCapability;
    // Longer ones are taken without waiting all the same (RFC 7888 §5): the size limits are the same for both.
    text += settings.boolean("imap_literal_minus") ? " LITERAL-" : " LITERAL+";
    text += " APPENDLIMIT=" + std::to_string(kAppendLimit);
    if (has_special_use(settings)) text += " SPECIAL-USE";
    for (const std::string& word : settings.words("imap_capability"))
        text += " " + (word[0] == '+' ? word.substr(1) : word);
    return text;
}

}  // namespace culver
