#include "lib-delivery/delivery.h"

#include <algorithm>

#include "lib-base/log.h"
#include "lib-delivery/deliver-log.h"
#include "lib-delivery/header-peek.h"
#include "lib-storage/mailbox-name.h"

namespace culver {
namespace {

// One delivery on its way; holds what its log lines need.
class Delivery {
public:
    Delivery(MailUser& user, const Settings& settings, const DeliveryOrder& order, MessageSource& message)
        : user_(user), settings_(settings), order_(order), message_(message) {}

    Status run() {
        first_ = TRY(message_.read());
        header_ = peek_header(first_);
        auto mailbox = open_mailbox();
        if (!mailbox) return failed("INBOX", mailbox.error());
        if (Status saved = save(**mailbox); !saved) return failed(name_, saved.error());
        log(LogLevel::Info, "saved mail to " + name_);
        return {};
    }

private:
    MailUser::Create creation() const {
        if (!settings_.boolean("lda_mailbox_autocreate")) return MailUser::Create::No;
        return settings_.boolean("lda_mailbox_autosubscribe") ? MailUser::Create::AndSubscribe : MailUser::Create::Yes;
    }

    Result<std::shared_ptr<Mailbox>> open_named() {
        MailboxName name = TRY(MailboxName::parse(order_.mailbox));
        return user_.open_for_delivery(name, creation());
    }

    // The mailbox that was asked for; INBOX when that one cannot be had, whatever the reason.
    Result<std::shared_ptr<Mailbox>> open_mailbox() {
        name_ = order_.mailbox;
        if (name_ != "INBOX") {
            auto mailbox = open_named();
            if (mailbox) return mailbox;
            const Error& error = mailbox.error();
            log(LogLevel::Info,
                "save failed to open mailbox " + name_ + ": " + (error.client.empty() ? error.detail : error.client));
        }
        name_ = "INBOX";
        static const MailboxName inbox = MailboxName::from_disk("INBOX");
        return user_.open_for_delivery(inbox, MailUser::Create::Yes);
    }

    Status save(Mailbox& mailbox) {
        auto transaction = TRY(mailbox.begin_save());
        TRY(transaction->begin({}));
        TRY(write(*transaction, order_.prepend));
        for (std::string_view piece = first_; !piece.empty(); piece = TRY(message_.read()))
            TRY(write(*transaction, piece));
        TRY(transaction->end());
        TRY(transaction->commit(SaveTransaction::Uids::NotTold));
        return {};
    }

    Status write(SaveTransaction& transaction, std::string_view bytes) {
        size_ += bytes.size();
        lines_ += static_cast<std::uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
        // CRLF pairs cut in two by a piece's end count as a bare LF: this number is for the log alone.
        for (auto at = bytes.find("\r\n"); at != std::string_view::npos; at = bytes.find("\r\n", at + 2)) ++crlfs_;
        return transaction.write(bytes);
    }

    std::unexpected<Error> failed(const std::string& mailbox, const Error& error) {
        log(LogLevel::Error, "save failed to " + mailbox + ": " + (error.detail.empty() ? error.client : error.detail));
        return fail(error);
    }

    void log(LogLevel level, std::string status) {
        DeliverLogFields fields;
        fields.status = std::move(status);
        fields.header = &header_;
        fields.sender = order_.sender;
        fields.recipient = order_.recipient;
        fields.session = order_.session;
        fields.size = size_ - crlfs_;
        fields.virtual_size = size_ - crlfs_ + lines_;
        log_line(level, deliver_log_line(settings_.string("deliver_log_format"), fields));
    }

    MailUser& user_;
    const Settings& settings_;
    const DeliveryOrder& order_;
    MessageSource& message_;
    std::string_view first_;
    HeaderPeek header_;
    std::string name_;
    std::uint64_t size_ = 0, lines_ = 0, crlfs_ = 0;
};

}  // namespace

Status deliver(MailUser& user, const Settings& settings, const DeliveryOrder& order, MessageSource& message) {
    return Delivery(user, settings, order, message).run();
}

}  // namespace culver
