#include "imapd/mailbox-argument.h"

namespace culver {

std::expected<std::shared_ptr<Mailbox>, Reply> open_destination(Session& session, const std::string& utf8) {
    const auto name = MailboxName::parse(utf8);
    if (!name) return std::unexpected(Reply::from(name.error()));
    auto mailbox = session.user().open_mailbox(*name);
    if (!mailbox) return std::unexpected(Reply::from(mailbox.error(), "TRYCREATE"));
    return *mailbox;
}

bool is_trash(const Settings& settings, const std::string& utf8) {
    for (const NamespaceSettings& space : settings.namespaces())
        for (const MailboxSettings& box : space.mailboxes)
            if (box.special_use.find("\\Trash") != std::string::npos && space.prefix + box.name == utf8) return true;
    return false;
}

}  // namespace culver
