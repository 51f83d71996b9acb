//! Positions, in packed sorted sets and in trees.

use super::zset::check_both;
use crate::harness::check;

#[test]
fn positions_are_stored_and_read() {
    check_both(
        r#"
        > GEOADD Sicily 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
        (integer) 2
        > GEOADD Sicily NX 1 1 Palermo
        (integer) 0
        > GEOADD Sicily XX CH 13.361390 38.2 Palermo 1 1 absent
        (integer) 1
        > GEOADD Sicily CH 13.361389 38.115556 Palermo
        (integer) 1
        > ZSCORE Sicily Palermo
        (double) 3479099956230698
        > GEODIST Sicily Palermo Catania
        "166274.1516"
        > GEODIST Sicily Palermo Catania km
        "166.2742"
        > GEODIST Sicily Palermo Catania MI
        "103.3182"
        > GEODIST Sicily Palermo Catania ft
        "545518.8700"
        > GEODIST Sicily Palermo none
        (nil)
        > GEODIST none Palermo Catania
        (nil)
        > GEODIST Sicily Palermo Catania parsec
        (error) ERR unsupported unit provided. please use M, KM, FT, MI
        > GEODIST Sicily Palermo Catania m m
        (error) ERR syntax error
        > GEOHASH Sicily Palermo Catania none
        1) "sqc8b49rny0"
        2) "sqdtr74hyu0"
        3) (nil)
        > GEOHASH none a
        1) (nil)
        > GEOHASH Sicily
        (empty array)
        > GEOPOS none a
        1) (nil)
        > GEOPOS Sicily
        (empty array)
        > GEOPOS Sicily none
        1) (nil)
        > GEOADD Sicily 200 0 x
        (error) ERR invalid longitude,latitude pair 200.000000,0.000000
        > GEOADD Sicily 0 86 x
        (error) ERR invalid longitude,latitude pair 0.000000,86.000000
        > GEOADD Sicily a 0 x
        (error) ERR value is not a valid float
        > GEOADD Sicily 0 0 x 0
        (error) ERR syntax error
        > GEOADD Sicily NX XX 0 0 x
        (error) ERR syntax error
        > GEOADD Sicily NX CH XX
        (error) ERR syntax error
        > SET s x
        OK
        > GEOADD s 0 0 x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOPOS s x
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEODIST s x y
        (error) WRONGTYPE Operation against a key holding the wrong kind of value
        > GEOADD edge -180 -85.05112878 a 180 85.05112878 b 0 0 c
        (integer) 3
        > ZRANGE edge 0 -1
        1) "a"
        2) "c"
        3) "b"
        > GEOHASH edge a b c
        1) "00bh0hbj200"
        2) "bp05b5048p0"
        3) "s0000000000"
        "#,
    );
}

#[test]
fn areas_are_searched() {
    check_both(
        r#"
        > GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 17.241510 38.788135 edge2
        (integer) 4
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC
        1) "Catania"
        2) "Palermo"
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km DESC
        1) "edge1"
        2) "edge2"
        3) "Palermo"
        4) "Catania"
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 2
        1) "Catania"
        2) "Palermo"
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km COUNT 2
        1) "Catania"
        2) "Palermo"
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 1 WITHDIST WITHHASH
        1) 1) "Catania"
           2) "56.4413"
           3) (integer) 3479447370796909
        > GEOSEARCH g FROMMEMBER Palermo BYRADIUS 100 mi ASC WITHDIST
        1) 1) "Palermo"
           2) "0.0000"
        2) 1) "edge1"
           2) "56.7939"
        > GEOSEARCH g FROMMEMBER none BYRADIUS 100 mi
        (error) ERR could not decode requested zset member
        > GEOSEARCH none FROMMEMBER none BYRADIUS 100 mi
        (empty array)
        > GEOSEARCH none FROMLONLAT 1 1 BYRADIUS 100 mi
        (empty array)
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 m
        (empty array)
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 0 m
        (empty array)
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 20000 km ASC
        1) "Catania"
        2) "Palermo"
        3) "edge2"
        4) "edge1"
        > GEOSEARCH g FROMLONLAT 15 37 ASC ASC ASC
        (error) ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCH
        > GEOSEARCH g BYRADIUS 200 km ASC ASC ASC
        (error) ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH
        > GEOSEARCH g FROMLONLAT 15 37 FROMMEMBER Palermo BYRADIUS 200 km
        (error) ERR syntax error
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km BYBOX 1 1 km
        (error) ERR syntax error
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ANY
        (error) ERR the ANY argument requires COUNT argument
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km COUNT 0
        (error) ERR COUNT must be > 0
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS -1 km
        (error) ERR radius cannot be negative
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS x km
        (error) ERR need numeric radius
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 x
        (error) ERR unsupported unit provided. please use M, KM, FT, MI
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX x 1 m
        (error) ERR need numeric width
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 x m
        (error) ERR need numeric height
        > GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 -1 m
        (error) ERR height or width cannot be negative
        > GEOSEARCH g FROMLONLAT 15 x BYBOX 1 1 m
        (error) ERR value is not a valid float
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST
        (error) ERR syntax error
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km STORE x
        (error) ERR syntax error
        > GEORADIUS g 15 37 200 km ASC
        1) "Catania"
        2) "Palermo"
        > GEORADIUS g 15 37 200 km WITHDIST DESC
        1) 1) "Palermo"
           2) "190.4424"
        2) 1) "Catania"
           2) "56.4413"
        > GEORADIUS_RO g 15 37 200 km COUNT 1 ASC
        1) "Catania"
        > GEORADIUS_RO g 15 37 200 km STORE x
        (error) ERR syntax error
        > GEORADIUSBYMEMBER g Palermo 200 km ASC
        1) "Palermo"
        2) "edge1"
        3) "Catania"
        > GEORADIUSBYMEMBER g none 200 km
        (error) ERR could not decode requested zset member
        > GEORADIUSBYMEMBER none x x x
        (empty array)
        > GEORADIUSBYMEMBER_RO g Catania 200 km ASC WITHDIST
        1) 1) "Catania"
           2) "0.0000"
        2) 1) "Palermo"
           2) "166.2742"
        > GEORADIUS g 15 37 200 km WITHDIST STORE x
        (error) ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        > GEORADIUS g 15 37 200 km STORE
        (error) ERR syntax error
        "#,
    );
}

#[test]
fn what_is_found_is_stored() {
    check_both(
        r#"
        > GEOADD {g}1 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
        (integer) 2
        > GEOSEARCHSTORE {g}2 {g}1 FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 3
        (integer) 2
        > ZRANGE {g}2 0 -1
        1) "Palermo"
        2) "Catania"
        > GEOHASH {g}2 Palermo Catania
        1) "sqc8b49rny0"
        2) "sqdtr74hyu0"
        > GEOSEARCHSTORE {g}2 {g}1 FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST COUNT 1
        (integer) 1
        > ZSCORE {g}2 Catania
        (double) 56.4412578701582
        > GEORADIUS {g}1 15 37 200 km STORE {g}3
        (integer) 2
        > ZCARD {g}3
        (integer) 2
        > GEORADIUSBYMEMBER {g}1 Catania 1 km STOREDIST {g}3
        (integer) 1
        > ZSCORE {g}3 Catania
        (double) 0
        > GEOSEARCHSTORE {g}2 {g}1 FROMLONLAT 0 0 BYRADIUS 1 km
        (integer) 0
        > EXISTS {g}2
        (integer) 0
        > GEORADIUS {g}none 15 37 200 km STORE {g}3
        (integer) 0
        > EXISTS {g}3
        (integer) 0
        > GEOSEARCHSTORE {g}2 {g}1 FROMLONLAT 0 0 BYRADIUS 1 km WITHDIST
        (error) ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options
        > GEOSEARCHSTORE {g}2 {g}1 FROMLONLAT 0 0 ASC ASC ASC
        (error) ERR exactly one of BYRADIUS and BYBOX can be specified for GEOSEARCHSTORE
        "#,
    );
}

#[test]
fn coordinates_in_resp2() {
    check(
        r#"
        ~only resp2
        > GEOADD g 13.361389 38.115556 Palermo -73.97334 40.76480 NYC 0 0 zero
        (integer) 3
        > GEOPOS g Palermo none NYC zero
        1) 1) "13.36138933897018433"
           2) "38.11555639549629859"
        2) (nil array)
        3) 1) "-73.97334247827529907"
           2) "40.76479879153534824"
        4) 1) "0.00000268220901489"
           2) "0.00000126736058093"
        > GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km WITHCOORD WITHDIST WITHHASH
        1) 1) "Palermo"
           2) "190.4424"
           3) (integer) 3479099956230698
           4) 1) "13.36138933897018433"
              2) "38.11555639549629859"
        "#,
    );
}
