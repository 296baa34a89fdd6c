// MailboxName: a validated mailbox name as the user sees it (UTF-8, the namespace's separator, prefix included).
//
// The only way from a client's bytes to a path: no NUL, no control bytes, valid UTF-8, within the limits of
// docs/limits.md; "inbox" in any case is "INBOX". Which characters the storage can hold is checked when it is used.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "lib-base/result.h"

namespace culver {

class MailboxName {
public:
    // `utf8` as decoded from modified UTF-7. Errors: InvalidArgument or Limit with a client text.
    static Result<MailboxName> parse(std::string_view utf8);
    // The name was read from disk and may break the rules of parse (it is listed, and can be opened and deleted).
    static MailboxName from_disk(std::string utf8);

    const std::string& utf8() const { return name_; }
    bool is_inbox() const { return name_ == "INBOX"; }
    bool is_below(const MailboxName& parent, char separator) const;
    auto operator<=>(const MailboxName&) const = default;

private:
    explicit MailboxName(std::string name) : name_(std::move(name)) {}
    std::string name_;
};

}  // namespace culver
