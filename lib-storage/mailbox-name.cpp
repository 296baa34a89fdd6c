#include "lib-storage/mailbox-name.h"

#include "lib-base/text.h"

namespace culver {

namespace {
constexpr std::size_t kNameLimit = 1000;

// C0, DEL and, as UTF-8 (C2 80..9F), C1: nothing of these may reach a terminal, a log or a file name.
bool has_control_bytes(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte == 0x7f) return true;
        if (byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
    }
    return false;
}
}  // namespace

Result<MailboxName> MailboxName::parse(std::string_view utf8) {
    const auto refuse = [](ErrorCode code, const char* text) { return fail(Error{code, text, text}); };
    if (utf8.empty()) return refuse(ErrorCode::InvalidArgument, "Invalid mailbox name: Name is empty");
    if (utf8.size() > kNameLimit) return refuse(ErrorCode::InvalidArgument, "Mailbox name too long");
    if (!is_valid_utf8(utf8)) return refuse(ErrorCode::InvalidArgument, "Mailbox name is not valid UTF-8");
    if (has_control_bytes(utf8))
        return refuse(ErrorCode::InvalidArgument, "Control characters not allowed in new mailbox names");
    if (equals_ignore_case(utf8, "INBOX")) return MailboxName("INBOX");
    return MailboxName(std::string(utf8));
}

MailboxName MailboxName::from_disk(std::string utf8) { return MailboxName(std::move(utf8)); }

bool MailboxName::is_below(const MailboxName& parent, char separator) const {
    return name_.size() > parent.name_.size() + 1 && name_.starts_with(parent.name_) &&
           name_[parent.name_.size()] == separator;
}

}  // namespace culver
