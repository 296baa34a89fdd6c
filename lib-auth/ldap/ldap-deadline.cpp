#include "lib-auth/ldap/ldap-deadline.h"

#include <lber.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace culver {

namespace {
// Above the socket (LBER_SBIOD_LEVEL_PROVIDER), below TLS (LBER_SBIOD_LEVEL_TRANSPORT).
constexpr int kLevel = 15;

const LdapDeadline& deadline_of(Sockbuf_IO_Desc* layer) { return *static_cast<LdapDeadline*>(layer->sbiod_pvt); }

// False with errno = ETIMEDOUT when the time is over.
bool wait_for(Sockbuf_IO_Desc* layer, short events) {
    int fd = -1;
    ::ber_sockbuf_ctrl(layer->sbiod_sb, LBER_SB_OPT_GET_FD, &fd);
    while (true) {
        pollfd wanted{fd, events, 0};
        int ready = ::poll(&wanted, 1, deadline_of(layer).left());
        if (ready > 0) return true;
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0) errno = ETIMEDOUT;
        return false;
    }
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

ber_slen_t read(Sockbuf_IO_Desc* layer, void* buffer, ber_len_t size) {
    while (true) {
        if (!wait_for(layer, POLLIN)) return -1;
        ber_slen_t got = LBER_SBIOD_READ_NEXT(layer, buffer, size);
        if (got >= 0 || !would_block()) return got;
    }
}

ber_slen_t write(Sockbuf_IO_Desc* layer, void* buffer, ber_len_t size) {
    while (true) {
        if (!wait_for(layer, POLLOUT)) return -1;
        ber_slen_t sent = LBER_SBIOD_WRITE_NEXT(layer, buffer, size);
        if (sent >= 0 || !would_block()) return sent;
    }
}

int set_up(Sockbuf_IO_Desc* layer, void* argument) {
    layer->sbiod_pvt = argument;
    return 0;
}
int nothing(Sockbuf_IO_Desc*) { return 0; }
int control(Sockbuf_IO_Desc* layer, int option, void* argument) {
    return LBER_SBIOD_CTRL_NEXT(layer, option, argument);
}

Sockbuf_IO kLayer = {set_up, nothing, control, read, write, nothing};

int connected(LDAP*, Sockbuf* buffer, LDAPURLDesc*, sockaddr*, ldap_conncb* self) {
    return ::ber_sockbuf_add_io(buffer, &kLayer, kLevel, self->lc_arg);
}
void disconnected(LDAP*, Sockbuf*, ldap_conncb*) {}
}  // namespace

LdapDeadline::LdapDeadline() : callbacks_{connected, disconnected, this} {}

bool LdapDeadline::attach(LDAP* handle) {
    return ::ldap_set_option(handle, LDAP_OPT_CONNECT_CB, &callbacks_) == LDAP_OPT_SUCCESS;
}

int LdapDeadline::left() const {
    auto time = std::chrono::ceil<std::chrono::milliseconds>(at_ - Clock::now()).count();
    return static_cast<int>(std::clamp<long>(time, 0, 3'600'000));
}

}  // namespace culver
