"""What nginx and Apache have to be told to stand in front of an Airflow: pure text, from the settings."""

from __future__ import annotations

import re
from typing import Dict, List

from bootstrap.airflow.webaddress import WebAddress, port_of
from bootstrap.site import certificates
from bootstrap.site.settings import Site

NGINX, APACHE = "nginx", "apache"
# Where the admin puts what this text cannot know.
_TLS: Dict[str, str] = {NGINX: "/etc/nginx/tls", APACHE: "/etc/ssl/airflow"}


def nginx(site: Site, web: WebAddress, own_name: str) -> str:
    """A file for ``/etc/nginx/conf.d``; `own_name` is a name, no address, of the web server's certificate."""
    secure = site.url.startswith("https://")
    path = site.path or ""
    lines = [
        "# Airflow behind nginx, for /etc/nginx/conf.d/airflow.conf. Written by airferry site proxy.",
        "# Where a server block for this name is there already, only the location blocks belong into it.",
        "# Then: nginx -t && systemctl reload nginx. With SELinux: setsebool -P httpd_can_network_connect 1",
        "map $http_upgrade $airflow_connection {",
        "    default upgrade;",
        '    ""      close;',
        "}",
        "",
        "server {",
        f"    listen {port_of(site.url)}{' ssl' if secure else ''};",
        f"    listen [::]:{port_of(site.url)}{' ssl' if secure else ''};",
        f"    server_name {site.host};",
    ]
    if secure:
        lines += [
            f"    ssl_certificate     {_TLS[NGINX]}/{site.host}.pem;  # yours, intermediates after it",
            f"    ssl_certificate_key {_TLS[NGINX]}/{site.host}.key;",
        ]
    if path:
        lines += ["", f"    location = {path} {{", f"        return 301 {path}/;", "    }"]
    lines += [
        "",
        f"    location {path}/ {{",
        # without a path of its own it passes the address on as it came, encoded slashes included
        f"        proxy_pass {web.root.url};",
        "        proxy_http_version 1.1;",
        "        proxy_set_header Host $http_host;",
        "        proxy_set_header X-Forwarded-Host $http_host;",
        "        proxy_set_header X-Forwarded-Proto $scheme;",
        "        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
        "        # Airflow trusts these: what a browser says of them must not get through",
        '        proxy_set_header X-Forwarded-Prefix "";',
        '        proxy_set_header X-Forwarded-Port "";',
        "        # the pages of Airflow need no websockets; plugins may",
        "        proxy_set_header Upgrade $http_upgrade;",
        "        proxy_set_header Connection $airflow_connection;",
        "        # logs of running tasks arrive as they are written",
        "        proxy_buffering off;",
        "        proxy_read_timeout 300s;",
        "        client_max_body_size 20m;",
    ]
    if web.certificate:
        lines += [
            "        # bin/airferry site tls --show-ca prints what belongs into that file",
            f"        proxy_ssl_trusted_certificate {_TLS[NGINX]}/airflow-ca.pem;",
            f"        proxy_ssl_name {own_name};",
            "        proxy_ssl_server_name on;",
            "        proxy_ssl_verify on;",
            "        proxy_ssl_verify_depth 4;",
        ]
    return "\n".join([*lines, "    }", "}"]) + "\n"


def apache(site: Site, web: WebAddress) -> str:
    """A virtual host for Apache 2.4."""
    secure = site.url.startswith("https://")
    scheme = "https" if secure else "http"
    path, target = site.path or "/", f"{web.root.url}{site.path or '/'}"
    lines = [
        "# Airflow behind Apache. Written by airferry site proxy.",
        "# Red Hat: /etc/httpd/conf.d/airflow.conf. Debian: /etc/apache2/sites-available/airflow.conf, and",
        "# a2enmod ssl proxy proxy_http headers && a2ensite airflow",
        "# Where a virtual host for this name is there, what follows SSLCertificateKeyFile is for it.",
        "# Then: apachectl configtest && apachectl graceful",
        "# With SELinux: setsebool -P httpd_can_network_connect 1",
        f"<VirtualHost *:{port_of(site.url)}>",
        f"    ServerName {site.host}",
    ]
    if secure:
        lines += [
            "    SSLEngine on",
            "    # yours, intermediates after it",
            f"    SSLCertificateFile    {_TLS[APACHE]}/{site.host}.pem",
            f"    SSLCertificateKeyFile {_TLS[APACHE]}/{site.host}.key",
        ]
    lines += [
        "    ProxyPreserveHost On",
        "    ProxyRequests Off",
        "    # ids of runs are in addresses, with encoded characters that have to stay as they are",
        "    AllowEncodedSlashes NoDecode",
        f'    RequestHeader set X-Forwarded-Proto "{scheme}"',
        "    # Airflow trusts these: what a browser says of them must not get through",
        "    RequestHeader unset X-Forwarded-Host early",
        "    RequestHeader unset X-Forwarded-Prefix early",
        "    RequestHeader unset X-Forwarded-Port early",
        f'    ProxyPass        "{path}" "{target}" nocanon flushpackets=on timeout=300',
        f'    ProxyPassReverse "{path}" "{target}"',
    ]
    if web.certificate:
        lines += [
            "    SSLProxyEngine On",
            "    # bin/airferry site tls --show-ca prints what belongs into that file",
            f"    SSLProxyCACertificateFile {_TLS[APACHE]}/airflow-ca.pem",
            "    SSLProxyVerify require",
            "    # it is asked by its address, which the certificate need not name",
            "    SSLProxyCheckPeerName off",
            "    SSLProxyCheckPeerCN off",
        ]
    return "\n".join([*lines, "</VirtualHost>"]) + "\n"


def named(server: str, site: Site, web: WebAddress) -> List[str]:
    """The lines for the server of that name."""
    if server == APACHE:
        return apache(site, web).splitlines()
    known = certificates.names(web.certificate) if web.certificate else ()
    # nginx compares names alone
    names = [name for name in known if "*" not in name and re.search("[a-z]", name) and ":" not in name]
    chosen = next((name for name in ("localhost", site.host) if name in names), "")
    return nginx(site, web, chosen or (names[0] if names else site.host)).splitlines()
