//! Names that stand for themselves: the fields of the catalogs and of common APIs.

use super::super::kind::Kind;
use super::super::shape::*;
use super::Class;

/// Names whose meaning is not the sum of their words.
pub(super) fn exact(joined: &str) -> Option<Class> {
    use Class::{PairName, Safe, Sensitive, Text, Unknown, Url};
    Some(match joined {
        "fieldid" | "fieldname" | "attributename" | "headername" | "paramname"
        | "parametername" | "propertyname" | "key" | "field" | "attribute" | "param"
        | "parameter" | "property" | "header" => PairName,
        // The kind of a transaction request (Open Bank Project), not a TAN.
        "sandboxtan" => Unknown,
        "value" | "values" | "data" | "details" | "fields" | "payload" | "body" | "content" => {
            Unknown
        }
        "name" | "names" => Sensitive(Kind::Name),
        "plz" | "postleitzahl" | "codepostal" | "codigopostal" | "cep" => Sensitive(Kind::Address),
        "yob" | "birthyear" => Sensitive(Kind::DateOfBirth),
        "id" | "ids" | "sub" | "jti" | "azp" | "exceptionid" | "masqueradeas" | "owner" | "kid"
        | "subscriberid" | "operationid" | "callid" => Safe(ID),
        "guid" | "guids" | "uuid" | "uuids" | "requestid" | "correlationid" | "xrequestid"
        | "xcorrelationid" => Safe(REFERENCE),
        "spanid" | "traceid" | "ddtraceid" | "ddspanid" => Safe(TRACE),
        "isin" => Safe(ISIN),
        "mcc" | "mic" | "sku" | "figi" | "sedol" | "cusip" => Safe(CODE | ID),
        "color" | "colour" => Safe(COLOR | WORDY),
        "mac" | "macaddress" => Safe(MAC),
        "timezone" | "tz" => Safe(ZONE | WORDY),
        "build" | "buildid" | "buildnumber" => Safe(VERSION | INT | HASH | BUSINESS_ID),
        "os" | "platform" | "arch" => Safe(WORDY | VERSION),
        "state" | "status" | "type" | "kind" | "side" | "direction" | "method" | "verb"
        | "mode" | "level" | "role" | "granttype" | "tokentype" | "responsetype"
        | "displaymode" | "environment" | "env" | "language" | "lang" | "locale" | "country"
        | "countrycode" | "nationalitycode" | "transient" | "active" | "enabled" | "sandbox"
        | "revoked" | "success" | "ok" | "retryable" | "final" | "action" | "event"
        | "eventtype" | "category" | "scheme" | "network" | "networkname" | "channel"
        | "source" | "protocol" | "format" | "fieldtype" | "documenttype" | "documentsubtype"
        | "producttype" | "transfertype" | "accounttype" | "service" | "component" | "module"
        | "target" | "branch" | "stage" | "outcome" | "decision" | "result" | "effect"
        | "operation" | "op" | "provider" | "api" | "severity" | "alg" | "typ" | "cty"
        | "subtype" | "issystem" | "ispublic" | "as" | "sort" | "sortdirection" | "order"
        | "sortby" | "filter" | "include" | "expand" => Safe(WORDY),
        "code" | "errorcode" | "messagecode" | "failurecode" | "statuscode" | "httpstatus"
        | "responsecode" | "obpcode" | "error" | "exceptiontype" => Safe(CODE | WORD | SHORT_INT),
        "asset" | "symbol" | "currency" | "ccy" | "pair" | "tradingsymbol" | "sourcecurrency"
        | "destcurrency" | "payoutsymbol" | "assetcode" | "currencycode" | "market" | "symbols"
        | "assets" => Safe(ASSET | WORD),
        "amount" | "balance" | "price" | "fee" | "fees" | "rate" | "total" | "subtotal"
        | "quantity" | "qty" | "cost" | "size" | "sourceamount" | "destamount" | "buyprice"
        | "sellprice" | "debitamount" | "units" | "decimals" => Safe(AMOUNT | ASSET | WORD),
        "version" | "apiversion" | "acceptversion" | "schemaversion" | "appversion"
        | "sdkversion" | "release" | "ver" | "servedunder" => Safe(VERSION | DATE | SMALL | WORD),
        "timestamp" | "ts" | "time" | "date" | "datetime" | "at" | "expires" | "iat" | "exp"
        | "nbf" | "since" | "until" | "from" | "to" | "fromdate" | "todate" | "now"
        | "timestampms" | "epoch" => Safe(TIME | DATE | SMALL),
        "page" | "perpage" | "limit" | "offset" | "index" | "line" | "column" | "port"
        | "attempt" | "attempts" | "retries" | "priority" | "weight" | "depth" | "width"
        | "pid" | "year" | "month" | "day" | "hour" | "obplimit" | "obpoffset" | "resendcount"
        | "age" | "nextpage" | "totalpages" | "uid" | "gid" | "tid" | "rank" => {
            Safe(SMALL | VERSION | BOOLISH)
        }
        "count" | "duration" | "elapsed" | "latency" | "durationms" | "expiresin"
        | "retryafter" | "ttl" | "length" | "contentlength" | "bytes" | "seq" | "sequence"
        | "height" => Safe(DECIMAL | VERSION | BOOLISH),
        "scope" | "scopes" | "permission" | "permissions" | "roles" | "rolename"
        | "entitlement" | "entitlements" => Safe(SCOPE | WORDY),
        "message" | "msg" | "errormessage" | "errordescription" | "description" | "detail"
        | "title" | "reason" | "summary" | "hint" | "text" | "errors" | "warnings" | "warning"
        | "log" | "useragent" | "failurereason" | "userstory" | "caller" | "longmessage"
        | "failedreason" => Text,
        "url" | "uri" | "href" | "link" | "redirecturi" | "redirecturl" | "callbackurl"
        | "notifytarget" | "path" | "iss" | "aud" | "issuer" | "audience" | "origin"
        | "referer" | "referrer" | "location" | "instance" | "endpoint" | "request" | "baseurl"
        | "jwksuri" | "selflink" | "route" => Url,
        "host" | "hostname" | "domain" | "server" | "authority" | "node" | "pod" | "region"
        | "zone" | "cluster" => Safe(HOST | WORDY),
        "hash" | "digest" | "checksum" | "sha" | "sha1" | "sha256" | "md5" | "commit"
        | "revision" | "etag" | "ref" | "gitsha" | "fingerprint" | "contenthash" => {
            Safe(HASH | REFERENCE | VERSION)
        }
        "logger" | "class" | "classname" => Safe(PROGRAM | WORDY),
        "traceparent" => Safe(TRACEPARENT),
        "trackingnumber" | "trackingid" | "trackingcode" | "waybill" => Safe(BUSINESS_ID),
        "contenttype" | "mimetype" | "mediatype" | "accept" => Safe(MIME | WORDY),
        "clientid" | "consumerid" | "appid" | "applicationid" | "keyid" => Safe(ID),
        "user" | "users" | "customer" | "account" | "card" | "owners" | "client" | "bank"
        | "view" | "transaction" | "address2" | "accounts" | "customers" | "cards" => Unknown,
        "number" | "customernumber" | "uniquememoid" => Sensitive(Kind::Account),
        "memo"
        | "note"
        | "notes"
        | "comment"
        | "comments"
        | "narrative"
        | "labels"
        | "label"
        | "nickname"
        | "tag"
        | "remittanceinformation"
        | "remittanceinformationunstructured"
        | "subject"
        | "beneficiarymemo"
        | "destinationtag"
        | "desc"
        | "problematicvalue"
        | "response"
        | "freetext" => Sensitive(Kind::Text),
        "publickey" | "idempotencykey" | "partitionkey" | "sortkey" | "primarykey" | "keyname"
        | "keytype" | "routingkey" | "cachekey" | "foreignkey" | "keyversion" | "keysize" => {
            Safe(ID | WORDY)
        }
        "accesskeyid" | "awsaccesskeyid" => Sensitive(Kind::CloudKey),
        "lat" | "lng" | "lon" | "latitude" | "longitude" | "geolocation" | "psugeolocation" => {
            Sensitive(Kind::Personal)
        }
        "consumerkey" | "apitoken" | "appkey" | "clientkey" | "apisecret" => {
            Sensitive(Kind::ApiKey)
        }
        "directlogin" | "directlogintoken" => Sensitive(Kind::DirectLogin),
        "gatewaylogin" => Sensitive(Kind::GatewayLogin),
        "answer"
        | "securityanswer"
        | "challengeanswer"
        | "scaauthenticationdata"
        | "pinreset"
        | "smscode"
        | "card2fa"
        | "verificationcode"
        | "onetimecode"
        | "otpcode"
        | "authcode"
        | "twofactorcode"
        | "sms" => Sensitive(Kind::Pin),
        "codeverifier" | "codechallenge" | "oauthverifier" | "authorizationcode" => {
            Sensitive(Kind::Secret)
        }
        "downloadurl"
        | "uploadurl"
        | "inviteurl"
        | "resetpasswordurl"
        | "authorization3dsurl"
        | "secretlink"
        | "signedurl"
        | "presignedurl"
        | "passwordreseturl" => Sensitive(Kind::Url),
        "line1" | "line2" | "line3" | "addressline" | "addressline1" | "addressline2"
        | "postalcode" | "postcode" | "zip" | "zipcode" | "city" | "town" | "county"
        | "province" | "subdivision" | "street1" | "street2" | "address1" | "suburb"
        | "district" => Sensitive(Kind::Address),
        "first" | "last" | "middle" | "full" | "given" | "family" | "surname" | "forename"
        | "firstname" | "lastname" | "fullname" | "middlename" | "givenname" | "familyname"
        | "legalname" | "displayname" | "nameoncard" | "alias" | "aliases" | "holder"
        | "holders" | "beneficiary" | "maidenname" | "mothersmaidenname" | "creditorname"
        | "debtorname" | "ownername" | "cardholder" | "payee" | "payer" | "initials" => {
            Sensitive(Kind::Name)
        }
        "gender"
        | "sex"
        | "citizenship"
        | "nationality"
        | "occupation"
        | "employer"
        | "income"
        | "salary"
        | "religion"
        | "ethnicity"
        | "maritalstatus"
        | "dependants"
        | "dobofdependants"
        | "faceimage"
        | "employmentstatus"
        | "relationshipstatus"
        | "highesteducationattained"
        | "securityquestion"
        | "question"
        | "deviceid"
        | "devicefingerprint"
        | "website"
        | "placeofbirth"
        | "birthplace"
        | "natureofbusiness"
        | "businessindustry"
        | "plaidaccountmask"
        | "plaidaccountname"
        | "plaidaccountid"
        | "plaidinstitutionid"
        | "personainquiryid"
        | "image"
        | "photo"
        | "selfie"
        | "avatar"
        | "biometric"
        | "fingerprintdata" => Sensitive(Kind::Personal),
        "filename" | "file" | "attachment" => Sensitive(Kind::File),
        "txnhash"
        | "txhash"
        | "transactionhash"
        | "networkaddress"
        | "walletaddress"
        | "depositaddress"
        | "msgsender"
        | "smartcontractaddress" => Sensitive(Kind::Chain),
        "privatekey" | "xprv" | "pem" => Sensitive(Kind::PrivateKey),
        "certificate" | "cert" | "clientcert" | "psd2cert" | "tppsignaturecertificate" | "x5c" => {
            Sensitive(Kind::Certificate)
        }
        "ips" | "ipaddress" | "clientip" | "remoteip" | "remoteaddr" | "sourceip"
        | "psuipaddress" | "ipwhitelist" | "ipallowlist" | "lockedipaddresses"
        | "xforwardedfor" | "forwarded" | "xrealip" | "trueclientip" | "cfconnectingip" => {
            Sensitive(Kind::Ip)
        }
        "dob" => Sensitive(Kind::DateOfBirth),
        "ssn" => Sensitive(Kind::Ssn),
        "dobday"
        | "dobmonth"
        | "dobyear"
        | "beneficiarydobday"
        | "beneficiarydobmonth"
        | "beneficiarydobyear" => Sensitive(Kind::DateOfBirth),
        "expirymonth" | "expiryyear" | "expmonth" | "expyear" | "expirydate" | "expiry" => {
            Safe(SHORT_INT | DATE | TIME)
        }
        "accountdetails" | "routingdetails" | "identifiers" | "accountroutings"
        | "creditoraccount" | "debtoraccount" | "maskedpan" => Sensitive(Kind::Account),
        "bankcode" | "swiftbic" | "bicfi" => Sensitive(Kind::Bic),
        "last4" | "lastfour" | "lastdigits" | "last4digits" => Safe(LAST4),
        _ => return None,
    })
}
