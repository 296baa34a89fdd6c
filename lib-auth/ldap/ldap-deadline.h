// LdapDeadline: nothing that libldap does on a connection takes longer than it is given.
//
// libldap bounds connecting and waiting for answers, but its TLS handshake (GnuTLS) spins without end on a server that
// says nothing, and half an answer would block its reader. This is a layer of liber's between the socket and TLS that
// waits by poll(2) until a point in time, and then fails with ETIMEDOUT.
#pragma once

#include <ldap.h>

#include <chrono>

namespace culver {

class LdapDeadline {
public:
    using Clock = std::chrono::steady_clock;

    LdapDeadline();
    LdapDeadline(const LdapDeadline&) = delete;  // libldap keeps its address
    LdapDeadline& operator=(const LdapDeadline&) = delete;

    // Before the handle connects. This object outlives the handle.
    bool attach(LDAP* handle);
    // From now on.
    void set(std::chrono::milliseconds time) { at_ = Clock::now() + time; }
    // Milliseconds for poll(2); 0 when it has passed.
    int left() const;

private:
    ldap_conncb callbacks_;
    Clock::time_point at_;
};

}  // namespace culver
