// MailUser: one user's mail: namespaces, the list of mailboxes, subscriptions; opens mailboxes.
// Thread-safe unless said otherwise; holds no open mailbox itself.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib-base/result.h"
#include "lib-config/settings.h"
#include "lib-storage/mailbox-name.h"
#include "lib-storage/mailbox.h"
#include "lib-storage/types.h"

namespace culver {

struct MailUserIdentity {
    std::string username, home;  // home may be empty
    std::string uid, gid;        // as text, for %variables
    std::string service, session, local_ip, remote_ip;
    std::shared_ptr<const Settings>
        settings;  // filtered for the protocol, userdb overrides applied (mail -> mail_location)
};

struct Namespace {
    std::string name, prefix;
    char separator = '.';
    bool inbox = false, hidden = false, listed = true, subscriptions = true;
    std::string type;  // private, shared, public
};

// RFC 5258 selection and return options.
struct ListQuery {
    std::string reference;              // UTF-8
    std::vector<std::string> patterns;  // UTF-8, with * and %
    bool select_subscribed = false, select_special_use = false, select_recursive_match = false, select_remote = false;
    bool return_subscribed = false, return_children = false, return_special_use = false;
};

struct ListEntry {
    std::string name;  // UTF-8 as the client sees it
    char separator = '.';
    bool nonexistent = false, noselect = false, noinferiors = false;
    bool unmade = false;               // an autocreate mailbox without a directory yet; opening it makes it
    std::optional<bool> has_children;  // \HasChildren, \HasNoChildren
    bool subscribed = false;
    bool child_subscribed = false;         // CHILDINFO ("SUBSCRIBED")
    std::vector<std::string> special_use;  // "\Sent"
};

class MailUser {
public:
    // Expands mail_location, detects it when empty ("mail_location not set and autodetection failed ..."), reads the
    // namespaces. Makes no directory yet. The cache outlives the user.
    static Result<std::unique_ptr<MailUser>> open(const MailUserIdentity& identity, MailboxCache& cache);
    virtual ~MailUser() = default;

    virtual const std::string& username() const = 0;
    virtual const std::vector<Namespace>& namespaces() const = 0;
    virtual Result<std::vector<ListEntry>> list(const ListQuery& query) = 0;

    // INBOX and autocreate mailboxes are made when missing. Errors: NotFound "Mailbox doesn't exist: x" etc. with the
    // client texts of Dovecot.
    virtual Result<std::shared_ptr<Mailbox>> open_mailbox(const MailboxName& name) = 0;
    // For deliveries: with `create` the mailbox is made (and subscribed) when missing.
    enum class Create { No, Yes, AndSubscribe };
    virtual Result<std::shared_ptr<Mailbox>> open_for_delivery(const MailboxName& name, Create create) = 0;
    // Without keeping it open longer than needed (STATUS of many mailboxes).
    virtual Result<MailboxStatus> status(const MailboxName& name) = 0;

    // Makes the missing root directories of the private namespaces, as Dovecot does at a login. A delivery does not
    // call it.
    virtual Status make_roots() = 0;
    virtual Status create(const MailboxName& name, std::string_view special_use = {}) = 0;
    virtual Status remove(const MailboxName& name) = 0;
    virtual Status rename(const MailboxName& from, const MailboxName& to) = 0;
    virtual Status subscribe(const MailboxName& name, bool subscribed) = 0;
    virtual bool exists(const MailboxName& name) = 0;
    // As subscribe, but for names that need not exist (doveadm mailbox subscribe).
    virtual Status subscribe_any(const MailboxName& name, bool subscribed) = 0;
    // Where the mailbox lies, or would lie if it existed.
    virtual Result<MailboxPaths> paths(const MailboxName& name) = 0;
    // The separator of the namespace that `name` belongs to.
    virtual char separator_for(const MailboxName& name) const = 0;
    virtual MailboxCache& cache() = 0;
};

}  // namespace culver
