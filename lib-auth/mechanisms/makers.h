// The makers of the mechanisms, for mechanisms/table.cpp: PLAIN RFC 4616, CRAM-MD5 RFC 2195, DIGEST-MD5 RFC 2831, SCRAM
// RFC 5802 and 7677, EXTERNAL RFC 4422 appendix A, ANONYMOUS RFC 4505, OAUTHBEARER RFC 7628. One object a login.
#pragma once

#include "lib-auth/mechanism.h"

namespace culver::mechanisms {

std::unique_ptr<Mechanism> make_plain(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_login(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_cram_md5(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_digest_md5(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_scram_sha1(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_scram_sha256(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_scram_sha1_plus(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_scram_sha256_plus(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_external(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_anonymous(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_oauthbearer(const AuthRequest& request, const AuthSettings& settings);
std::unique_ptr<Mechanism> make_xoauth2(const AuthRequest& request, const AuthSettings& settings);

}  // namespace culver::mechanisms
