"""Questions about where things are done in Django 5.2, each with the files that answer it."""

DJANGO_QUESTIONS: dict[str, frozenset[str]] = {
    "where is the CSRF token compared with the cookie": frozenset({"django/middleware/csrf.py"}),
    "how does the ORM build the SQL WHERE clause": frozenset(
        {"django/db/models/sql/where.py", "django/db/models/sql/query.py", "django/db/models/sql/compiler.py"}
    ),
    "where are migrations loaded from disk and the graph built": frozenset({"django/db/migrations/loader.py"}),
    "which code hashes user passwords": frozenset({"django/contrib/auth/hashers.py"}),
    "where is the session expiry date computed": frozenset({"django/contrib/sessions/backends/base.py"}),
    "how are template tags parsed into nodes": frozenset({"django/template/base.py"}),
    "where does the autoreloader restart the process when a file changes": frozenset({"django/utils/autoreload.py"}),
    "how is the request URL matched to a view": frozenset({"django/urls/resolvers.py"}),
    "where are uploaded files kept in memory or written to a temporary file": frozenset(
        {"django/core/files/uploadhandler.py", "django/core/files/uploadedfile.py"}
    ),
    "how is an email message encoded and sent over SMTP": frozenset(
        {"django/core/mail/backends/smtp.py", "django/core/mail/message.py"}
    ),
}
